import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { toBase64 } from '../../crypto/bytes.ts';
import { sha256 } from '../../crypto/hash.ts';
import { signAct } from '../../election/draft.ts';
import { api, idempotencyKey, type Schemas, take } from '../api/client.ts';
import type { Election } from '../election/useElection.ts';
import { minutesToMs, useFormats } from '../ui/format.ts';
import { Told } from '../ui/Told.tsx';
import { Notice } from '../ui/ui.tsx';
import { ActFailure } from './ActFailure.tsx';
import { useAdminKey } from './adminKey.ts';
import { KeyField } from './KeyField.tsx';
import { buildManifest, fingerprintBytes, readDraft } from './seal.ts';
import type { NextAction, Standing } from './steps.ts';

interface Props {
  readonly election: Election;
  readonly standing: Standing;
  readonly chunks: readonly string[];
  readonly messages: readonly Schemas['CeremonyMessage'][];
}

/** The one thing to do now, and what keeps it from being done. */
export function NextCard({ election, standing, chunks, messages }: Props) {
  const { t } = useTranslation('admin');
  const { time } = useFormats();
  const { next, blockers } = standing;
  const when =
    next.kind === 'wait-opening'
      ? time(minutesToMs(next.opens))
      : next.kind === 'wait-closing'
        ? time(minutesToMs(next.closes))
        : '';
  return (
    <section className="q-card q-stack q-next">
      <div className="q-stack-s">
        <p className="q-muted q-small">{t('next.label')}</p>
        <h2>{t(`next.${next.kind}.title`)}</h2>
        <p className="q-prose">{t(`next.${next.kind}.text`, { when })}</p>
      </div>
      {blockers.length > 0 && (
        <Notice tone="warn" title={t('next.blockers')}>
          <ul>
            {blockers.map((blocker) => (
              <li key={blocker.text}>
                <Told family="blocker" {...blocker} />
              </li>
            ))}
          </ul>
        </Notice>
      )}
      <Action election={election} next={next} chunks={chunks} messages={messages} />
    </section>
  );
}

type Act = 'seal' | 'open' | 'close';

/** The signed act that belongs to the next step; waiting steps may offer one, too. */
function actOf(next: NextAction): { act: Act; isEarly: boolean } | undefined {
  switch (next.kind) {
    case 'seal':
      return { act: 'seal', isEarly: false };
    case 'open':
      return { act: 'open', isEarly: false };
    case 'wait-opening':
      return { act: 'open', isEarly: true };
    case 'close':
      return { act: 'close', isEarly: false };
    case 'resume':
    case 'wait-closing':
      return { act: 'close', isEarly: true };
    default:
      return undefined;
  }
}

interface ActionProps extends Omit<Props, 'standing'> {
  readonly next: NextAction;
}

function Action({ election, next, chunks, messages }: ActionProps) {
  const { t } = useTranslation('admin');
  const key = useAdminKey();
  const cache = useQueryClient();
  const [isSure, setSure] = useState(false);
  const node = useQuery({
    queryKey: ['node'],
    queryFn: () => take(api.GET('/api/v1/node')),
    enabled: next.kind === 'seal',
  });
  const offered = actOf(next);
  const done = useMutation({
    mutationFn: async (act: Act) => {
      if (key === undefined) return undefined;
      if (act === 'seal') {
        const { authorities } = node.data ?? { authorities: [] };
        return await seal(election, { chunks, messages, authorities }, key);
      }
      return await sign(election, act, key);
    },
    onSuccess: () => {
      setSure(false);
      void cache.invalidateQueries({ queryKey: ['elections', election.id] });
    },
  });
  if (offered === undefined) return null;
  const { act, isEarly } = offered;
  const needsConsent = act !== 'seal' || isEarly;
  const waits = done.data !== undefined && 'approval' in done.data;
  const form = (
    <div className="q-stack">
      <KeyField />
      {needsConsent && (
        <label className="q-check">
          <input
            type="checkbox"
            checked={isSure}
            onChange={({ target }) => setSure(target.checked)}
          />
          {t(`sure.${act}${isEarly ? 'Early' : ''}`)}
        </label>
      )}
      <div>
        <button
          type="button"
          className="q-button"
          data-kind={isEarly ? 'plain' : 'primary'}
          disabled={key === undefined || done.isPending || (needsConsent && !isSure)}
          onClick={() => done.mutate(act)}
        >
          {t(`act.${act}${isEarly ? 'Early' : ''}`)}
        </button>
      </div>
      {done.isError && <ActFailure error={done.error} />}
      {waits && (
        <Notice tone="info" title={t('next.waits')} alert>
          {t('next.waitsText')}
        </Notice>
      )}
    </div>
  );
  if (!isEarly) return form;
  return (
    <details>
      <summary>{t(`act.${act}Early`)}</summary>
      {form}
    </details>
  );
}

interface SealMaterial {
  readonly chunks: readonly string[];
  readonly messages: readonly Schemas['CeremonyMessage'][];
  readonly authorities: readonly Schemas['Authority'][];
}

async function seal(
  { id, draft, definition }: Election,
  material: SealMaterial,
  key: Uint8Array,
): Promise<Schemas['Done']> {
  const manifest = buildManifest(
    {
      ...material,
      draft: draft ?? '',
      trustees: definition?.trustees.length ?? 0,
      threshold: definition?.threshold ?? 0,
    },
    key,
  );
  const signature = signAct(key, 'seal', sha256(manifest));
  return await take(
    api.POST('/api/v1/elections/{id}/manifest', {
      params: { path: { id }, header: { 'Idempotency-Key': idempotencyKey() } },
      body: { manifest: toBase64(manifest), signature: toBase64(signature) },
    }),
  );
}

async function sign(
  { id, draft, fingerprint }: Election,
  act: 'open' | 'close',
  key: Uint8Array,
): Promise<Schemas['Done'] | Schemas['Proposal']> {
  if (draft != null) readDraft(draft, key);
  const signature = toBase64(signAct(key, act, fingerprintBytes(fingerprint)));
  const params = { path: { id }, header: { 'Idempotency-Key': idempotencyKey() } };
  const body = { signature };
  return act === 'open'
    ? await take(api.POST('/api/v1/elections/{id}/open', { params, body }))
    : await take(api.POST('/api/v1/elections/{id}/close', { params, body }));
}
