import { useTranslation } from 'react-i18next';
import { useNow } from '../../feed/useFeed.ts';
import type { FaultRecord } from '../types.ts';
import { expectation, stopwatch } from '../words.ts';

/** What a fault is measured by: how long until it is over. */
export function measured({ effect, outcome }: FaultRecord): number | null {
  const { leader_after_ms, ready_after_ms, gap_ms } = outcome;
  if (effect === 'leader-change' || effect === 'begins') return leader_after_ms;
  if (effect === 'returns') return ready_after_ms ?? leader_after_ms ?? gap_ms;
  return effect === 'stops' ? ready_after_ms : gap_ms;
}

/** The newest fault with its stopwatch, and those before in a table. */
export function Stopwatch({ faults }: { faults: readonly FaultRecord[] }) {
  const { t } = useTranslation('cluster');
  const [newest, ...before] = faults;
  return (
    <section className="q-card c-watch" aria-labelledby="watch">
      <h2 id="watch">{t('watch.title')}</h2>
      {newest === undefined ? (
        <p className="c-watch-none">{t('watch.none')}</p>
      ) : (
        <Newest fault={newest} />
      )}
      {before.length > 0 && <Before faults={before.slice(0, 5)} />}
    </section>
  );
}

function useRunning(fault: FaultRecord, isRunning: boolean): number {
  const now = useNow(isRunning ? 50 : 1000);
  return Math.max(0, now - (fault.outcome.done_ms ?? fault.time_ms));
}

function Newest({ fault }: { fault: FaultRecord }) {
  const { t, i18n } = useTranslation('cluster');
  const { outcome, kind, node, effect } = fault;
  const after = measured(fault);
  const isRunning = after === null && !outcome.is_settled;
  const running = useRunning(fault, isRunning);
  const isChange = effect === 'leader-change' || effect === 'begins';
  const caption = isRunning
    ? t('watch.running')
    : isChange && outcome.leader !== null
      ? t('watch.leader', { node: outcome.leader })
      : t(`watch.${effect}`);
  return (
    <div className="c-newest" data-running={isRunning || undefined}>
      <p className="c-what">
        <strong>
          {t(`kind.${kind}`)}
          {node !== null && ` · ${t('node.name', { node })}`}
        </strong>
        <span className="q-muted">{expectation(kind, node, fault, t)}</span>
      </p>
      <div className="c-results">
        <p className="c-time">
          {after === null && !isRunning ? (
            <span className="c-big">–</span>
          ) : (
            <span className="c-big">
              {stopwatch(after ?? running, i18n.language)}
              <small> s</small>
            </span>
          )}
          <span>{caption}</span>
        </p>
        <p data-tone={outcome.lost === null ? undefined : outcome.lost === 0 ? 'good' : 'bad'}>
          <span className="c-big">{outcome.lost ?? '…'}</span>
          <span>{t('watch.lost')}</span>
        </p>
        <p>
          <span className="c-big">{outcome.retried}</span>
          <span>{t('watch.retried')}</span>
        </p>
        {isChange && outcome.gap_ms !== null && (
          <p>
            <span className="c-big">
              {stopwatch(outcome.gap_ms, i18n.language)}
              <small> s</small>
            </span>
            <span>{t('watch.goes-on')}</span>
          </p>
        )}
      </div>
      <p className="q-visually-hidden" role="status">
        {outcome.is_settled && `${caption}. ${outcome.lost ?? '–'} ${t('watch.lost')}.`}
      </p>
    </div>
  );
}

function Before({ faults }: { faults: readonly FaultRecord[] }) {
  const { t, i18n } = useTranslation('cluster');
  return (
    <table className="c-before">
      <caption className="q-visually-hidden">{t('watch.before')}</caption>
      <thead>
        <tr>
          <th scope="col">{t('watch.what')}</th>
          <th scope="col">{t('watch.time')}</th>
          <th scope="col">{t('watch.lostShort')}</th>
          <th scope="col">{t('watch.retriedShort')}</th>
        </tr>
      </thead>
      <tbody>
        {faults.map((fault) => {
          const after = measured(fault);
          return (
            <tr key={fault.number}>
              <th scope="row">
                {t(`kind.${fault.kind}`)}
                {fault.node !== null && ` · ${t('node.name', { node: fault.node })}`}
              </th>
              <td>{after === null ? '–' : `${stopwatch(after, i18n.language)} s`}</td>
              <td>{fault.outcome.lost ?? '–'}</td>
              <td>{fault.outcome.retried}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
