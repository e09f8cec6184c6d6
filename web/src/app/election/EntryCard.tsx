import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { api, take } from '../api/client.ts';
import { CopyButton } from '../ui/CopyButton.tsx';
import { minutesToMs, useFormats } from '../ui/format.ts';
import { Told } from '../ui/Told.tsx';
import { Card, Failure, Loading, Notice, Tag } from '../ui/ui.tsx';
import type { Line } from './curve.ts';
import { useKind } from './kinds.ts';
import { proveLeaf } from './proveLeaf.ts';

/** One entry with its permalink, and the proof that it stands on the signed ledger. */
export function EntryCard({ id, entry }: { readonly id: string; readonly entry: number }) {
  const { t } = useTranslation();
  const { number } = useFormats();
  const card = useRef<HTMLDivElement>(null);
  const asked = useQuery({
    queryKey: ['elections', id, 'entry', entry],
    queryFn: async () => {
      const params = { path: { id }, query: { from: entry, limit: 1 } };
      const { entries } = await take(api.GET('/api/v1/elections/{id}/entries', { params }));
      return entries[0] ?? null;
    },
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: another entry scrolls up again
  useEffect(() => card.current?.scrollIntoView({ block: 'nearest' }), [entry]);
  return (
    <div ref={card}>
      <Card
        title={
          <span className="q-row q-spread">
            {t('entry.title', { number: number(entry) })}
            <Link to="/e/$id/ledger" params={{ id }} search={({ entry: _, ...rest }) => rest}>
              <span className="q-small">{t('common.close')}</span>
            </Link>
          </span>
        }
      >
        {asked.isPending && <Loading lines={3} />}
        {asked.isError && <Failure error={asked.error} retry={() => void asked.refetch()} />}
        {asked.data === null && <Notice tone="warn">{t('entry.absent')}</Notice>}
        {asked.data != null && <Details id={id} line={asked.data} />}
      </Card>
    </div>
  );
}

function Details({ id, line }: { readonly id: string; readonly line: Line }) {
  const { t } = useTranslation();
  const kindText = useKind();
  const format = useFormats();
  const link = new URL(`/e/${id}/ledger?entry=${line.entry}`, location.origin).href;
  return (
    <>
      <dl className="q-facts">
        <dt>{t('ledger.column.kind')}</dt>
        <dd>{kindText(line.kind)}</dd>
        {line.stamp !== null && (
          <>
            <dt>{t('ledger.column.time')}</dt>
            <dd>{format.time(minutesToMs(line.stamp))}</dd>
          </>
        )}
        {line.tracker !== null && (
          <>
            <dt>{t('find.label')}</dt>
            <dd className="q-mono">{line.tracker}</dd>
          </>
        )}
        {line.leaf !== null && (
          <>
            <dt>{t('entry.leaf')}</dt>
            <dd>{format.number(line.leaf)}</dd>
          </>
        )}
        <dt>{t('entry.link')}</dt>
        <dd className="q-row">
          <span className="q-mono q-small">{link}</span> <CopyButton text={link} />
        </dd>
      </dl>
      {line.refused !== null && (
        <Notice tone="warn" title={t('entry.refused', { code: line.refused })}>
          <p>
            <Told family="refusal" code={line.refused} text={line.refused} />
          </p>
          <p>{t('entry.refusedText')}</p>
          <p>
            <Link to="/e/$id/rules" params={{ id }} hash="refusals">
              {t('entry.refusals')}
            </Link>
          </p>
        </Notice>
      )}
      {line.leaf !== null && <Proof key={line.leaf} id={id} leaf={line.leaf} />}
    </>
  );
}

function Proof({ id, leaf }: { readonly id: string; readonly leaf: number }) {
  const { t } = useTranslation();
  const { number } = useFormats();
  const proof = useMutation({ mutationFn: () => proveLeaf(id, leaf) });
  return (
    <div className="q-stack-s">
      <div>
        <button
          type="button"
          className="q-button"
          disabled={proof.isPending}
          onClick={() => proof.mutate()}
        >
          {t('entry.prove')}
        </button>
      </div>
      {proof.isError && <Failure error={proof.error} />}
      {proof.data?.kind === 'not-final' && <Notice>{t('entry.notFinal')}</Notice>}
      {proof.data?.kind === 'proven' && (
        <Notice tone="good" title={t('entry.proven')} alert>
          <p>
            {t('entry.provenText', {
              size: number(proof.data.size),
              steps: proof.data.path.length,
              signers: proof.data.signers.join(', '),
            })}
          </p>
          <details>
            <summary>{t('entry.path')}</summary>
            <ol className="q-mono q-small">
              {proof.data.path.map((hash) => (
                <li key={hash}>{hash}</li>
              ))}
            </ol>
          </details>
        </Notice>
      )}
      {proof.data?.kind === 'false' && (
        <Notice tone="bad" title={t('entry.false')} alert>
          <p>{t('entry.falseText')}</p>
          <Tag tone="bad">{proof.data.why}</Tag>
        </Notice>
      )}
    </div>
  );
}
