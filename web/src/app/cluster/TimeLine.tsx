import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { leaderChanges, type Sample, stretches } from './history.ts';
import type { FaultRecord } from './types.ts';

const WIDTH_MIN = 560;
const LANE = 44;
const LEFT = 86;
const TOP = 26;
/** How much of the past is shown. */
const SHOWN_MS = 120_000;

interface TimeLineProps {
  readonly samples: readonly Sample[];
  readonly nodes: readonly number[];
  readonly faults: readonly FaultRecord[];
  readonly isStale: boolean;
}

/** As wide as there is room, so that letters keep their size. */
function useWidth() {
  const holder = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(1000);
  useEffect(() => {
    const place = holder.current;
    if (place === null || typeof ResizeObserver === 'undefined') return;
    const sizes = new ResizeObserver(() => setWidth(Math.max(WIDTH_MIN, place.clientWidth)));
    sizes.observe(place);
    return () => sizes.disconnect();
  }, []);
  return { holder, width };
}

/** Who led when, a lane for each node; what was done to them stands where it was done. */
export function TimeLine({ samples, nodes, faults, isStale }: TimeLineProps) {
  const { t, i18n } = useTranslation('cluster');
  const { holder, width } = useWidth();
  const until = samples.at(-1)?.timeMs ?? 0;
  const from = until - SHOWN_MS;
  const x = (time: number) => LEFT + (Math.max(0, time - from) / SHOWN_MS) * (width - LEFT);
  const height = TOP + nodes.length * LANE + 24;
  const changes = leaderChanges(samples).filter(({ timeMs }) => timeMs >= from);
  const done = faults.filter(({ time_ms }) => time_ms >= from && time_ms <= until);
  const lane = (node: number | null) => TOP + Math.max(0, nodes.indexOf(node ?? 0)) * LANE;
  const clock = new Intl.DateTimeFormat(i18n.language, { timeStyle: 'medium' });
  const last = changes.at(-1);
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
        </ul>
      </figcaption>
      <div className="c-line-scroll" ref={holder}>
        <svg width={width} height={height} role="img" aria-label={label} direction="ltr">
          {nodes.map((node) => (
            <g key={node}>
              <text x="0" y={lane(node) + 25} className="c-lane-name">
                {t('node.name', { node })}
              </text>
              <line
                x1={LEFT}
                x2={width}
                y1={lane(node) + 20}
                y2={lane(node) + 20}
                className="c-lane"
              />
              {stretches(samples, node, until).map(({ part, from: start, to }) =>
                to <= from ? null : (
                  <rect
                    key={start}
                    className="c-part"
                    data-part={part}
                    x={x(start)}
                    width={Math.max(1.5, x(to) - x(start))}
                    y={lane(node) + (part === 'leads' ? 6 : 15)}
                    height={part === 'leads' ? 28 : 10}
                    rx={part === 'leads' ? 5 : 3}
                  />
                ),
              )}
            </g>
          ))}
          {changes.map(({ timeMs, leader, term }) =>
            leader === null ? null : (
              <text
                key={timeMs}
                x={x(timeMs) + 8}
                y={lane(leader) + 25}
                className="c-term"
                data-tight={x(timeMs) > width - 60 || undefined}
              >
                {t('line.term', { term })}
              </text>
            ),
          )}
          {done.map(({ number, time_ms, kind, node }) => (
            <g key={number} className="c-mark">
              <line x1={x(time_ms)} x2={x(time_ms)} y1={TOP - 6} y2={height - 22} />
              <text
                x={x(time_ms)}
                y={TOP - 11}
                textAnchor={x(time_ms) > width - 70 ? 'end' : 'middle'}
              >
                {t(`kind.${kind}`)}
                {node !== null && ` ${node}`}
              </text>
            </g>
          ))}
          <text x={LEFT} y={height - 4} className="c-axis">
            {clock.format(from)}
          </text>
          <text x={width} y={height - 4} className="c-axis" textAnchor="end">
            {clock.format(until)}
          </text>
        </svg>
      </div>
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
    </figure>
  );
}
