import './cluster.css';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { RequireAccount } from '../account/RequireAccount.tsx';
import { Failure, Loading } from '../ui/ui.tsx';
import { Charts } from './Charts.tsx';
import { Clocks } from './Clocks.tsx';
import { DemoPanel, StageRow } from './demo/DemoPanel.tsx';
import { FaultBar } from './demo/FaultBar.tsx';
import { useDemo } from './demo/useDemo.ts';
import { EventLog } from './EventLog.tsx';
import { Finality } from './Finality.tsx';
import { NodeCard } from './NodeCard.tsx';
import { TimeLine } from './TimeLine.tsx';
import { useCluster } from './useCluster.ts';
import { Verdict } from './Verdict.tsx';

/** The nodes, what they think of each other, and in a demonstration what can be done to them. */
export function ClusterPage() {
  const { t } = useTranslation('cluster');
  return (
    <RequireAccount title={t('title')}>
      <Board />
    </RequireAccount>
  );
}

function Board() {
  const { t } = useTranslation('cluster');
  const { view, samples, freshness, error, retry } = useCluster();
  const demo = useDemo();
  const numbers = view?.nodes.map(({ node }) => node).join() ?? '';
  const nodes = useMemo(() => numbers.split(',').filter(Boolean).map(Number), [numbers]);
  if (view === undefined) {
    return error === null ? <Loading /> : <Failure error={error} retry={retry} />;
  }
  const isStale = freshness.kind !== 'live';
  const up = view.nodes.filter(
    ({ state }) => state !== 'unreachable' && state !== 'stopped',
  ).length;
  return (
    <div className="c-board" data-stale={isStale || undefined}>
      <Verdict view={view} freshness={freshness} />
      <section aria-labelledby="nodes" className="q-stack-s">
        <h2 id="nodes" className="c-section">
          {t('nodes', { up, total: view.nodes.length })}
        </h2>
        <div className="c-nodes">
          {view.nodes.map((node) => {
            const own = demo.view?.nodes.find((known) => known.node === node.node);
            return (
              <NodeCard
                key={node.node}
                node={node}
                nowMs={view.time_ms + freshness.ageMs}
                extraAgeMs={freshness.ageMs}
                demo={own}
              >
                {own !== undefined && demo.canAct && <FaultBar node={own} act={demo} />}
              </NodeCard>
            );
          })}
        </div>
      </section>
      {demo.view !== undefined && <DemoPanel demo={demo.view} canAct={demo.canAct} act={demo} />}
      <TimeLine
        samples={samples}
        nodes={nodes}
        faults={demo.view?.faults ?? []}
        isStale={isStale}
      />
      {demo.view !== undefined && <StageRow demo={demo.view} canAct={demo.canAct} act={demo} />}
      <div className="c-pair">
        <Charts samples={samples} nodes={nodes} isStale={isStale} />
      </div>
      <div className="c-pair">
        <Finality />
        <Clocks view={view} />
      </div>
      <EventLog nodes={nodes} />
    </div>
  );
}
