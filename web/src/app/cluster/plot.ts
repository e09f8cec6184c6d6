/** The drawing itself; a chunk of its own. */

import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

interface DrawnLine {
  readonly label: string;
  readonly color: string;
  readonly dash?: readonly number[];
  readonly fill?: boolean;
}

/** A chart in `place`, as large as that. */
export function draw(
  place: HTMLElement,
  lines: readonly DrawnLine[],
  axis: { readonly text: string; readonly grid: string },
  format: (value: number) => string,
): uPlot {
  const { width, height } = place.getBoundingClientRect();
  const font = '13px system-ui, sans-serif';
  const common = { stroke: axis.text, font, ticks: { show: false } };
  const grid = { stroke: axis.grid, width: 1 };
  const options: uPlot.Options = {
    width: Math.max(200, width),
    height: Math.max(120, height),
    cursor: { show: false },
    legend: { show: false },
    padding: [10, 8, 0, 0],
    scales: { x: { time: true, auto: false }, y: { auto: false } },
    axes: [
      {
        ...common,
        grid: { show: false },
        size: 28,
        space: 90,
        values: [[1, '{HH}:{mm}:{ss}', null, null, null, null, null, null, 1]],
      },
      {
        ...common,
        grid,
        size: 64,
        space: 36,
        values: (_, splits) => splits.map((value) => format(value)),
      },
    ],
    series: [
      {},
      ...lines.map(({ label, color, dash, fill }) => ({
        label,
        stroke: color,
        width: 2.5,
        spanGaps: false,
        points: { show: false },
        ...(dash === undefined ? {} : { dash: [...dash] }),
        ...(fill === true ? { fill: `${color}26` } : {}),
      })),
    ],
  };
  return new uPlot(options, [[], ...lines.map(() => [])] as uPlot.AlignedData, place);
}
