/** Ballots over time, out of lines of the ledger. */

export interface Line {
  readonly entry: number;
  readonly kind: string;
  readonly stamp: number | null;
  readonly leaf: number | null;
  readonly tracker: string | null;
  readonly refused: string | null;
}

/** So many ballots were on the ledger in this minute (since 1970 UTC). */
export interface Point {
  readonly minute: number;
  readonly ballots: number;
}

/**
 * The curve. When not all lines are there (`every` > 1), the ballots between two of them are taken
 * to be as many as the leaves between them: exact at each ballot as long as the leaves since the
 * first ballot are ballots. Stamps never run backwards in it.
 */
export function curveOf(lines: readonly Line[], every = 1): Point[] {
  const ballots = lines.filter(
    (line) => line.kind === 'ballot' && line.leaf !== null && line.stamp !== null,
  );
  const first = ballots[0];
  if (first === undefined) return [];
  const points: Point[] = [];
  ballots.forEach((line, at) => {
    const minute = Math.max(line.stamp as number, points.at(-1)?.minute ?? 0);
    const count = every === 1 ? at + 1 : (line.leaf as number) - (first.leaf as number) + 1;
    if (points.at(-1)?.minute === minute) points.pop();
    points.push({ minute, ballots: count });
  });
  return points;
}

/** At most `most` of the points, the first and the last among them. */
export function thin(points: readonly Point[], most: number): Point[] {
  if (points.length <= most) return [...points];
  return Array.from(
    { length: most },
    (_, at) => points[Math.round((at * (points.length - 1)) / (most - 1))] as Point,
  );
}

/** A scale's end that is easy to read: 1, 2 or 5 times a power of ten. */
export function roundUp(value: number): number {
  if (value <= 5) return Math.max(1, Math.ceil(value));
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

/** A stepped line: counts stay as they are until the next ballot. */
export function stepPath(
  points: readonly Point[],
  end: number,
  top: number,
  width: number,
  height: number,
): string {
  const start = points[0]?.minute ?? 0;
  const range = Math.max(1, end - start);
  const x = (minute: number) => (((minute - start) / range) * width).toFixed(1);
  const y = (ballots: number) => (height - (ballots / top) * height).toFixed(1);
  const steps = points.map((point) => `H${x(point.minute)}V${y(point.ballots)}`);
  return `M0 ${height}${steps.join('')}H${width}`;
}
