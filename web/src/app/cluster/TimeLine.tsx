import { useTranslation } from 'react-i18next';
import { type Change, leaderChanges, type Sample, stretches } from './history.ts';
import type { FaultRecord } from './types.ts';

/** How much of the past is shown. */
const SHOWN_MS = 120_000;

/** A term is written on its bar only where it has room, as a share of the line. */
const ROOM = 0.06;

interface TimeLineProps {
  readonly samples: readonly Sample[];
  readonly nodes: readonly number[];
  readonly faults: readonly FaultRecord[];
  readonly isStale: boolean;
}

/** Where a moment lies between the two ends of the line. */
type Place = (timeMs: number) => number;

function percent(share: number): string {
  return `${(100 * share).toFixed(3)}%`;
}

/** Who led when, a lane for each node; what was done to them stands where it was done. */
export function TimeLine({ samples, nodes, faults, isStale }: TimeLineProps) {
  const { t, i18n } = useTranslation('cluster');
  const until = samples.at(-1)?.timeMs ?? 0;
  const from = until - SHOWN_MS;
  const place: Place = (timeMs) => Math.min(1, Math.max(0, (timeMs - from) / SHOWN_MS));
  const changes = leaderChanges(samples).filter(({ timeMs }) => timeMs >= from);
  const done = faults.filter(({ time_ms }) => time_ms >= from && time_ms <= until);
  const newest = done[0];
  const clock = new Intl.DateTimeFormat(i18n.language, { timeStyle: 'medium' });
  const last = samples.at(-1);
  const label =
    last === undefined || last.leader === null
      ? t('line.none')
      : t('line.summary', { leader: last.leader, term: last.term, count: changes.length });
  return (
    <figure className="c-line q-card" data-stale={isStale || undefined}>
      <figcaption>
        <h3>{t('line.title')}</h3>
        <ul className="c-legend">
          {(['leads', 'follows', 'away'] as const).map((part) => (
            <li key={part}>
              <span className="c-swatch" data-part={part} />
              {t(`line.${part}`)}
            </li>
          ))}
          {newest !== undefined && (
            <li>
              <span className="c-swatch" data-part="mark" />
              {t(`kind.${newest.kind}`)}
              {newest.node !== null && ` · ${t('node.name', { node: newest.node })}`}
            </li>
          )}
        </ul>
      </figcaption>
      <div className="c-lanes" role="img" aria-label={label} dir="ltr">
        <Marks faults={done} place={place} />
        {nodes.map((node) => (
          <div key={node} className="c-lane">
            <span className="c-lane-name">{t('node.name', { node })}</span>
            <Lane node={node} samples={samples} until={until} from={from} place={place} />
          </div>
        ))}
        <p className="c-axis">
          <span>{clock.format(from)}</span>
          <span>{clock.format(until)}</span>
        </p>
      </div>
      <ChangeTable changes={changes} clock={clock} />
    </figure>
  );
}

interface LaneProps {
  readonly node: number;
  readonly samples: readonly Sample[];
  readonly from: number;
  readonly until: number;
  readonly place: Place;
}

/** What one node did; a bar of its own for each term in which it led. */
function Lane({ node, samples, from, until, place }: LaneProps) {
  const { t } = useTranslation('cluster');
  const terms = leaderChanges(samples).filter(({ leader }) => leader === node);
  const termAt = (timeMs: number) => terms.findLast((change) => change.timeMs <= timeMs)?.term;
  return (
    <div className="c-track">
      {stretches(samples, node, until)
        .filter(({ to }) => to > from)
        .map(({ part, from: start, to }) => {
          const width = place(to) - place(start);
          return (
            <span
              key={start}
              className="c-part"
              data-part={part}
              style={{ left: percent(place(start)), width: percent(Math.max(0.0015, width)) }}
            >
              {part === 'leads' && width > ROOM && t('line.term', { term: termAt(start) ?? '' })}
            </span>
          );
        })}
    </div>
  );
}

/** A line down through the lanes where something was done. */
function Marks({ faults, place }: { faults: readonly FaultRecord[]; place: Place }) {
  return (
    <div className="c-marks">
      {faults.map(({ number, time_ms }) => (
        <span key={number} className="c-mark" style={{ left: percent(place(time_ms)) }} />
      ))}
    </div>
  );
}

interface ChangeTableProps {
  readonly changes: readonly Change[];
  readonly clock: Intl.DateTimeFormat;
}

function ChangeTable({ changes, clock }: ChangeTableProps) {
  const { t } = useTranslation('cluster');
  return (
    <details className="c-table">
      <summary>{t('chart.table')}</summary>
      <table>
        <caption className="q-visually-hidden">{t('line.title')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('chart.time')}</th>
            <th scope="col">{t('line.leader')}</th>
            <th scope="col">{t('figure.term')}</th>
          </tr>
        </thead>
        <tbody>
          {changes.map(({ timeMs, leader, term }) => (
            <tr key={timeMs}>
              <th scope="row">{clock.format(timeMs)}</th>
              <td>{leader ?? t('line.nobody')}</td>
              <td>{term}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
