import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { RequireAccount } from '../account/RequireAccount.tsx';
import type { Schemas } from '../api/client.ts';
import { cluster } from '../api/queries.ts';
import { useFeed } from '../feed/useFeed.ts';
import { Failure, Loading, Notice, Tag } from '../ui/ui.tsx';

/** The nodes and what they think of each other. */
export function ClusterPage() {
  const { t } = useTranslation();
  return (
    <RequireAccount title={t('cluster.title')}>
      <Nodes />
    </RequireAccount>
  );
}

function Nodes() {
  const { t } = useTranslation();
  const asked = useQuery(cluster());
  const heard = useFeed<Schemas['Cluster']>('cluster/nodes');
  const view = heard.data ?? asked.data;
  if (view === undefined) {
    return asked.isError ? (
      <Failure error={asked.error} retry={() => void asked.refetch()} />
    ) : (
      <Loading />
    );
  }
  const tones = { healthy: 'good', degraded: 'warn', down: 'bad' } as const;
  return (
    <div className="q-stack">
      <h1>{t('cluster.title')}</h1>
      <Notice tone={tones[view.level]}>
        <p>{view.verdict}</p>
      </Notice>
      <ul className="q-list" aria-label={t('cluster.nodes')}>
        {view.nodes.map((node) => (
          <li key={node.node} className="q-card q-stack-s">
            <div className="q-row">
              <h2>{node.last?.name ?? t('cluster.node', { node: node.node })}</h2>
              <Tag tone={node.state === 'healthy' ? 'good' : 'warn'}>{node.state}</Tag>
              {node.is_leader && <Tag tone="accent">{t('cluster.leader')}</Tag>}
            </div>
            {node.reasons.map((reason) => (
              <p key={reason} className="q-muted">
                {reason}
              </p>
            ))}
          </li>
        ))}
      </ul>
    </div>
  );
}
