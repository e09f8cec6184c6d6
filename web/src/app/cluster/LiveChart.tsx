import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import type uPlot from 'uplot';

export interface Line {
  readonly label: string;
  /** Name of a custom property that holds a colour. */
  readonly color: string;
  readonly dash?: readonly number[];
  readonly fill?: boolean;
}

interface LiveChartProps {
  readonly title: string;
  /** What the chart shows now, in one sentence, for those who do not see it. */
  readonly summary: string;
  readonly lines: readonly Line[];
  /** Seconds since 1970, then one column for each line. */
  readonly data: (number | null)[][];
  readonly format: (value: number) => string;
  readonly isStale: boolean;
  /** How much of the past is shown, in seconds. */
  readonly windowS?: number;
  /** The axis goes up at least to this. */
  readonly least?: number;
}

/** Rows of the table that says the same. */
const TABLE_ROWS = 8;

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || '#888';
}

/** A live chart with its table; the drawing library comes when the first chart is shown. */
export function LiveChart(props: LiveChartProps) {
  const { title, summary, lines, data, isStale } = props;
  const { t } = useTranslation('cluster');
  return (
    <figure className="c-chart q-card" data-stale={isStale || undefined}>
      <figcaption>
        <h3>{title}</h3>
        <ul className="c-legend">
          {lines.map(({ label, color, dash }) => (
            <li key={label}>
              <svg width="22" height="8" aria-hidden="true">
                <line
                  x1="0"
                  y1="4"
                  x2="22"
                  y2="4"
                  stroke={`var(${color})`}
                  strokeWidth="3"
                  strokeDasharray={dash?.join(' ')}
                />
              </svg>
              {label}
            </li>
          ))}
        </ul>
      </figcaption>
      <Canvas {...props} />
      {summary !== '' && <p className="c-chart-now">{summary}</p>}
      <details className="c-table">
        <summary>{t('chart.table')}</summary>
        <ChartTable lines={lines} data={data} format={props.format} title={title} />
      </details>
    </figure>
  );
}

function Canvas(props: LiveChartProps) {
  const { title, summary, lines, data, format, windowS = 120, least = 1 } = props;
  const holder = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(undefined);
  const newest = useRef({ data, format, windowS, least });
  newest.current = { data, format, windowS, least };
  const shape = JSON.stringify(lines);
  useEffect(() => {
    let isGone = false;
    let clear = () => {};
    void import('./plot.ts').then(({ draw }) => {
      const place = holder.current;
      if (isGone || place === null) return;
      const make = () => {
        chart.current?.destroy();
        const spec = (JSON.parse(shape) as Line[]).map(({ color, ...line }) => ({
          ...line,
          color: colour(color),
        }));
        const axis = { text: colour('--q-muted'), grid: colour('--q-line') };
        chart.current = draw(place, spec, axis, (value) => newest.current.format(value));
        show(chart.current, newest.current);
      };
      make();
      const sizes = new ResizeObserver(() => {
        const { width, height } = place.getBoundingClientRect();
        if (width > 0) chart.current?.setSize({ width, height });
      });
      sizes.observe(place);
      const schemes = new MutationObserver(make);
      schemes.observe(document.documentElement, {
        attributeFilter: ['data-mantine-color-scheme', 'dir'],
      });
      clear = () => {
        sizes.disconnect();
        schemes.disconnect();
        chart.current?.destroy();
        chart.current = undefined;
      };
    });
    return () => {
      isGone = true;
      clear();
    };
  }, [shape]);
  useEffect(() => {
    if (chart.current !== undefined) show(chart.current, { data, windowS, least });
  }, [data, windowS, least]);
  return (
    <div
      className="c-canvas"
      ref={holder}
      role="img"
      aria-label={`${title}. ${summary}`}
      dir="ltr"
    />
  );
}

interface Shown {
  readonly data: (number | null)[][];
  readonly windowS: number;
  readonly least: number;
}

function show(chart: uPlot, { data, windowS, least }: Shown) {
  const until = data[0]?.at(-1) ?? Date.now() / 1000;
  chart.batch(() => {
    chart.setData(data as uPlot.AlignedData, false);
    chart.setScale('x', { min: until - windowS, max: until });
    const [low, high] = extent(data, least);
    chart.setScale('y', { min: low, max: high });
  });
}

/** From zero to a little above the highest. */
function extent(data: (number | null)[][], least: number): [number, number] {
  let most = 0;
  for (const column of data.slice(1)) {
    for (const value of column) if (value !== null && value > most) most = value;
  }
  return [0, Math.max(least, most * 1.15)];
}

interface ChartTableProps {
  readonly lines: readonly Line[];
  readonly data: (number | null)[][];
  readonly format: (value: number) => string;
  readonly title: string;
}

function ChartTable({ lines, data, format, title }: ChartTableProps) {
  const { t, i18n } = useTranslation('cluster');
  const times = data[0] ?? [];
  const from = Math.max(0, times.length - TABLE_ROWS);
  const clock = new Intl.DateTimeFormat(i18n.language, { timeStyle: 'medium' });
  return (
    <table>
      <caption className="q-visually-hidden">{title}</caption>
      <thead>
        <tr>
          <th scope="col">{t('chart.time')}</th>
          {lines.map(({ label }) => (
            <th scope="col" key={label}>
              {label}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {times.slice(from).map((time, row) => (
          <tr key={time}>
            <th scope="row">{clock.format(1000 * (time ?? 0))}</th>
            {lines.map(({ label }, line) => {
              const value = data[line + 1]?.[from + row];
              return <td key={label}>{value == null ? '–' : format(value)}</td>;
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
