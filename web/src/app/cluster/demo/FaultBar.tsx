import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type DemoNode, FAULT_KINDS, type FaultKind, MENDING } from '../types.ts';
import { FaultDialog } from './FaultDialog.tsx';
import type { Actions } from './useDemo.ts';

/** What can be done to a node now. Nothing is done before its effect was shown. */
export function FaultBar({ node, act }: { node: DemoNode; act: Actions }) {
  const { t } = useTranslation('cluster');
  const [asked, setAsked] = useState<FaultKind>();
  const offered = FAULT_KINDS.filter((kind) => node.effects[kind] !== undefined);
  const forecast = asked === undefined ? undefined : node.effects[asked];
  return (
    <>
      <fieldset className="c-faults">
        <legend className="q-visually-hidden">{t('fault.for', { node: node.node })}</legend>
        {offered.map((kind) => (
          <button
            key={kind}
            type="button"
            className="q-button"
            data-size="s"
            data-mends={MENDING.includes(kind) || undefined}
            onClick={() => setAsked(kind)}
          >
            {t(`kind.${kind}`)}
          </button>
        ))}
      </fieldset>
      {asked !== undefined && forecast !== undefined && (
        <FaultDialog
          kind={asked}
          node={node.node}
          forecast={forecast}
          onClose={() => setAsked(undefined)}
          onConfirm={() => {
            setAsked(undefined);
            act.fault(asked, node.node);
          }}
        />
      )}
    </>
  );
}
