import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { fromBase64, fromHex } from '../../crypto/bytes.ts';
import { CodeError, readCode } from '../../crypto/code.ts';
import { credentialOfCode } from '../../crypto/credential.ts';
import { api, take } from '../api/client.ts';
import { Failure, Notice } from '../ui/ui.tsx';
import { CodeField } from './CodeField.tsx';
import { findInChunks } from './rollSearch.ts';

type Found = { readonly kind: 'on'; readonly weight: number } | { readonly kind: 'off' };

/** Checks a code against the public roll, here; the code leaves neither this page nor its memory. */
export function RollCheck({ id }: { readonly id: string }) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [found, setFound] = useState<Found>();
  const [wrong, setWrong] = useState<unknown>();
  const check = async () => {
    const code = readCode(typed);
    const { publicKey } = credentialOfCode(code, fromHex(id) ?? new Uint8Array());
    const params = { path: { id } };
    const { chunks } = await take(api.GET('/api/v1/elections/{id}/roll', { params }));
    const bytes = chunks.map((chunk) => fromBase64(chunk) ?? new Uint8Array());
    const weight = findInChunks(bytes, publicKey);
    setFound(weight === undefined ? { kind: 'off' } : { kind: 'on', weight });
  };
  const submit = () => {
    setFound(undefined);
    setWrong(undefined);
    setBusy(true);
    check()
      .catch(setWrong)
      .finally(() => setBusy(false));
  };
  return (
    <CodeField
      label={t('roll.label')}
      placeholder="XXXXX-XXXXX-XXXXX-XXXXX-XXXXX"
      button={t('roll.submit')}
      value={typed}
      onValue={setTyped}
      onSubmit={submit}
      isBusy={isBusy}
      wrong={wrong instanceof CodeError ? t(`code.${wrong.code}`) : undefined}
    >
      <p className="q-muted q-small">{t('roll.private')}</p>
      {wrong !== undefined && !(wrong instanceof CodeError) && <Failure error={wrong} />}
      {found?.kind === 'on' && (
        <Notice tone="good" title={t('roll.on')} alert>
          <p>
            {found.weight === 1 ? t('roll.onText') : t('roll.onWeight', { weight: found.weight })}
          </p>
        </Notice>
      )}
      {found?.kind === 'off' && (
        <Notice tone="warn" title={t('roll.off')} alert>
          <p>{t('roll.offText')}</p>
        </Notice>
      )}
    </CodeField>
  );
}
