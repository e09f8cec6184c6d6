import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Failure } from '../../ui/ui.tsx';
import { marksOf } from '../NodeCard.tsx';
import type { DemoView } from '../types.ts';
import { FaultDialog } from './FaultDialog.tsx';
import { Invariants } from './Invariants.tsx';
import { LoadPanel } from './LoadPanel.tsx';
import { StagePanel } from './StagePanel.tsx';
import { Stopwatch } from './Stopwatch.tsx';
import type { Actions } from './useDemo.ts';

interface DemoPanelProps {
  readonly demo: DemoView;
  readonly canAct: boolean;
  readonly act: Actions;
}

/** The demonstration: what was done, what came of it, and what must hold. */
export function DemoPanel({ demo, canAct, act }: DemoPanelProps) {
  const { t } = useTranslation('cluster');
  const [isAsked, setAsked] = useState(false);
  const isHarmed = demo.nodes.some((node) => marksOf(node).length > 0);
  return (
    <section className="c-demo" aria-labelledby="demo">
      <div className="q-row q-spread">
        <h2 id="demo" className="c-section">
          {t('demo.title')}
        </h2>
        {canAct && isHarmed && (
          <button
            type="button"
            className="q-button"
            data-kind="primary"
            data-size="s"
            onClick={() => setAsked(true)}
          >
            {t('kind.repair')}
          </button>
        )}
      </div>
      {!canAct && <p className="q-muted">{t('demo.onlyWatch')}</p>}
      {act.refused !== undefined && <Failure error={act.refused} />}
      <div className="c-demo-grid">
        <Stopwatch faults={demo.faults} />
        <Invariants all={demo.invariants} />
      </div>
      {isAsked && (
        <FaultDialog
          kind="repair"
          node={null}
          forecast={demo.repair}
          onClose={() => setAsked(false)}
          onConfirm={() => {
            setAsked(false);
            act.fault('repair', null);
          }}
        />
      )}
    </section>
  );
}

/** The vote that goes on, and the load beside it. */
export function StageRow({ demo, canAct, act }: DemoPanelProps) {
  return (
    <div className="c-demo-grid">
      <StagePanel demo={demo} canAct={canAct} act={act} />
      <LoadPanel demo={demo} canAct={canAct} act={act} />
    </div>
  );
}
