import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormats } from '../ui/format.ts';
import { columns, type Sample } from './history.ts';
import { type Line, LiveChart } from './LiveChart.tsx';

const NODE_LINES: readonly { color: string; dash?: readonly number[] }[] = [
  { color: '--q-accent' },
  { color: '--c-second', dash: [9, 5] },
  { color: '--c-third', dash: [3, 4] },
  { color: '--q-muted', dash: [12, 4, 3, 4] },
  { color: '--q-text', dash: [2, 6] },
];

interface ChartsProps {
  readonly samples: readonly Sample[];
  readonly nodes: readonly number[];
  readonly isStale: boolean;
}

/** How far each node is behind, and how long writes take. */
export function Charts({ samples, nodes, isStale }: ChartsProps) {
  const { t } = useTranslation('cluster');
  const { number } = useFormats();
  const names = nodes.map((node) => t('node.name', { node }));
  const lagLines: Line[] = names.map((label, place) => ({
    label,
    ...(NODE_LINES[place % NODE_LINES.length] ?? { color: '--q-accent' }),
  }));
  const lag = useMemo(
    () =>
      columns(
        samples,
        nodes.map((node) => (sample: Sample) => sample.nodes.get(node)?.lag ?? null),
      ),
    [samples, nodes],
  );
  const times = useMemo(() => columns(samples, [({ p50 }) => p50, ({ p99 }) => p99]), [samples]);
  const last = samples.at(-1);
  const ms = (value: number) => `${number(Math.round(value * 10) / 10)} ms`;
  const lagNow = nodes
    .map((node, place) => {
      const behind = last?.nodes.get(node)?.lag;
      return behind == null ? '' : t('chart.lagNow', { name: names[place], lag: number(behind) });
    })
    .filter((text) => text !== '')
    .join(', ');
  const timesNow =
    last?.p50 == null || last.p99 === null
      ? t('chart.noWrites')
      : t('chart.commitNow', { p50: ms(last.p50), p99: ms(last.p99) });
  return (
    <>
      <LiveChart
        title={t('chart.lag')}
        summary={lagNow}
        lines={lagLines}
        data={lag}
        format={(value) => number(Math.round(value))}
        least={10}
        isStale={isStale}
      />
      <LiveChart
        title={t('chart.commit')}
        summary={timesNow}
        lines={[
          { label: t('chart.p50'), color: '--q-accent', fill: true },
          { label: t('chart.p99'), color: '--c-second', dash: [9, 5] },
        ]}
        data={times}
        format={ms}
        least={5}
        isStale={isStale}
      />
    </>
  );
}
