import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, take } from '../api/client.ts';
import { ApiError } from '../api/problem.ts';
import { saveAs } from '../ui/save.ts';
import { Failure, Loading, Notice } from '../ui/ui.tsx';
import { CodeField } from './CodeField.tsx';

/** A tracking code as it is printed, or nothing when it cannot be one. */
export function tidyTracker(typed: string): string | undefined {
  const digits = typed
    .toUpperCase()
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1')
    .replace(/[^0-9A-Z]/g, '');
  if (!/^[0-9A-HJKMNP-TV-Z]{20}$/.test(digits)) return undefined;
  return digits.match(/.{4}/g)?.join('-');
}

/** Looks a ballot up by the code on its receipt. */
export function TrackerForm({
  id,
  initial = '',
}: {
  readonly id: string;
  readonly initial?: string;
}) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState(initial);
  const [wanted, setWanted] = useState(tidyTracker(initial));
  const [isWrong, setWrong] = useState(false);
  const submit = () => {
    const tracker = tidyTracker(typed);
    setWrong(tracker === undefined);
    setWanted(tracker);
  };
  return (
    <>
      <CodeField
        label={t('find.label')}
        placeholder="XXXX-XXXX-XXXX-XXXX-XXXX"
        button={t('find.submit')}
        value={typed}
        onValue={setTyped}
        onSubmit={submit}
        wrong={isWrong ? t('find.wrong') : undefined}
      />
      {wanted !== undefined && <Found id={id} tracker={wanted} />}
    </>
  );
}

function Found({ id, tracker }: { readonly id: string; readonly tracker: string }) {
  const { t } = useTranslation();
  const path = { id, tracker };
  const found = useQuery({
    queryKey: ['elections', id, 'ballot', tracker],
    queryFn: () => take(api.GET('/api/v1/elections/{id}/ballots/{tracker}', { params: { path } })),
  });
  if (found.isPending) return <Loading lines={2} />;
  if (found.isError) {
    const isAbsent = found.error instanceof ApiError && found.error.status === 404;
    if (!isAbsent) return <Failure error={found.error} retry={() => void found.refetch()} />;
    return (
      <Notice tone="warn" title={t('find.absent')} alert>
        <p>{t('find.absentText')}</p>
      </Notice>
    );
  }
  const { state, leaf, receipt } = found.data;
  const tone = state === 'ordered' ? 'info' : 'good';
  return (
    <Notice tone={tone} title={t(`find.state.${state}`)} alert>
      <p>{t(`find.stateText.${state}`)}</p>
      <div className="q-row">
        {leaf !== undefined && (
          <Link to="/e/$id/ledger" params={{ id }} search={{ q: tracker }}>
            {t('find.onLedger')}
          </Link>
        )}
        {receipt !== undefined && (
          <button
            type="button"
            className="q-button"
            data-size="s"
            onClick={() => saveAs(`receipt-${tracker}.txt`, receipt, 'text/plain')}
          >
            {t('find.receipt')}
          </button>
        )}
      </div>
    </Notice>
  );
}
