import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client.ts';
import { elections } from '../api/queries.ts';
import { useFormats } from '../ui/format.ts';
import { PhaseTag } from '../ui/PhaseTag.tsx';
import { Empty, Failure, Loading } from '../ui/ui.tsx';

/** All elections of this cluster. */
export function ListPage() {
  const { t } = useTranslation();
  const list = useQuery(elections());
  return (
    <div className="q-stack">
      <div className="q-stack-s">
        <h1>{t('list.title')}</h1>
        <p className="q-lead">{t('list.lead')}</p>
      </div>
      {list.isPending && <Loading />}
      {list.isError && list.data === undefined && (
        <Failure error={list.error} retry={() => void list.refetch()} />
      )}
      {list.data?.length === 0 && (
        <Empty icon="ballot" title={t('list.empty')}>
          <p>{t('list.emptyText')}</p>
        </Empty>
      )}
      {list.data !== undefined && list.data.length > 0 && (
        <ul className="q-list">
          {list.data.map((election) => (
            <li key={election.id}>
              <ElectionCard {...election} />
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function ElectionCard({ id, title, phase, leaves }: Schemas['ElectionSummary']) {
  const { t } = useTranslation();
  const { number } = useFormats();
  return (
    <Link to="/e/$id" params={{ id }} className="q-card q-link-card">
      <span className="q-stack-s">
        <h2>{title ?? t('list.untitled')}</h2>
        <span className="q-muted q-small">
          {t('list.entries', { count: leaves, formatted: number(leaves) })}
        </span>
      </span>
      <PhaseTag phase={phase} />
    </Link>
  );
}
