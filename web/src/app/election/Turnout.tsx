import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, take } from '../api/client.ts';
import { useNow } from '../feed/useFeed.ts';
import { minutesToMs, useFormats } from '../ui/format.ts';
import { curveOf, type Point, roundUp, stepPath, thin } from './curve.ts';
import type { Election } from './useElection.ts';

/** Lines fetched for a curve; larger ledgers are sampled. */
const LINES = 600;
const [WIDTH, HEIGHT] = [640, 180];

/** How many have voted, live, and how that came about. */
export function Turnout({ id, turnout, entries, phase, definition }: Election) {
  const { t } = useTranslation();
  const { number, percent } = useFormats();
  return (
    <>
      <div className="q-figure">
        <strong>{number(turnout.voters)}</strong>
        <span>
          {t('turnout.of', {
            voters: number(turnout.roll_voters),
            share: percent(turnout.voters, turnout.roll_voters),
          })}
        </span>
      </div>
      <div
        className="q-meter"
        role="img"
        aria-label={t('turnout.share', { share: percent(turnout.voters, turnout.roll_voters) })}
      >
        <span style={{ inlineSize: `${share(turnout.voters, turnout.roll_voters)}%` }} />
      </div>
      <p className="q-muted q-small">
        {turnout.ballots > turnout.voters
          ? t('turnout.revoted', { count: turnout.ballots - turnout.voters })
          : t('turnout.ballots', { count: turnout.ballots, formatted: number(turnout.ballots) })}
        {turnout.roll_weight !== turnout.roll_voters &&
          ` ${t('turnout.weight', {
            weight: number(turnout.weight),
            of: number(turnout.roll_weight),
          })}`}
        {phase === 'open' && <Updated mark={turnout.ballots} />}
      </p>
      <Classes classes={turnout.classes} groups={definition?.groups ?? []} />
      <Curve id={id} entries={entries} />
    </>
  );
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.min(100, (100 * part) / whole);
}

/** Who has voted of each group and weight, where there is more than one. */
function Classes({
  classes,
  groups,
}: {
  readonly classes: Election['turnout']['classes'];
  readonly groups: readonly string[];
}) {
  const { t } = useTranslation();
  const { number, percent } = useFormats();
  if (classes.length < 2) return null;
  const columns = ['weightEach', 'voters', 'voted', 'paper'] as const;
  return (
    <details>
      <summary>{t('turnout.classes')}</summary>
      <table className="q-table">
        <thead>
          <tr>
            <th scope="col">{t('turnout.group')}</th>
            {columns.map((column) => (
              <th key={column} scope="col" className="q-number">
                {t(`turnout.${column}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {classes.map(({ group, weight, voters, voted, paper }) => (
            <tr key={`${group} ${weight}`}>
              <th scope="row">{groups[group - 1] ?? t('turnout.everybody')}</th>
              <td className="q-number">{number(weight)}</td>
              <td className="q-number">{number(voters)}</td>
              <td className="q-number">
                {number(voted)} ({percent(voted, voters)})
              </td>
              <td className="q-number">{number(paper)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

/** How long ago the number changed. */
function Updated({ mark }: { readonly mark: number }) {
  const { t } = useTranslation();
  const { span } = useFormats();
  const now = useNow();
  const [since, setSince] = useState(now);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the mark itself is what counts
  useEffect(() => setSince(now), [mark]);
  return <> {t('turnout.updated', { age: span(now - since) })}</>;
}

function Curve({ id, entries }: { readonly id: string; readonly entries: number }) {
  const { t } = useTranslation();
  const every = Math.max(1, Math.ceil(entries / LINES));
  // Asked again when a twentieth has been added, not with each ballot.
  const mark = Math.floor(Math.log(Math.max(1, entries)) * 20);
  const asked = useQuery({
    queryKey: ['elections', id, 'curve', mark],
    queryFn: async () => {
      const query = { from: 1, limit: 2 * LINES, every };
      const params = { path: { id }, query };
      const { entries: lines } = await take(api.GET('/api/v1/elections/{id}/entries', { params }));
      return curveOf(lines, every);
    },
    placeholderData: (before) => before,
    staleTime: 60_000,
  });
  const points = asked.data ?? [];
  if (asked.isPending || points.length < 2) return null;
  return (
    <figure className="q-stack-s">
      <Drawing points={points} />
      <details>
        <summary>{t('turnout.table')}</summary>
        <CurveTable points={points} />
        {every > 1 && <p className="q-muted q-small">{t('turnout.sampled', { every })}</p>}
      </details>
    </figure>
  );
}

function Drawing({ points }: { readonly points: readonly Point[] }) {
  const { t } = useTranslation();
  const format = useFormats();
  const [first, last] = [points[0] as Point, points.at(-1) as Point];
  const top = roundUp(last.ballots);
  const line = stepPath(points, last.minute, top, WIDTH, HEIGHT);
  const times = [first.minute, last.minute].map((minute) => format.minute(minutesToMs(minute)));
  return (
    <div className="q-curve" dir="ltr">
      <span className="q-curve-top" aria-hidden="true">
        {format.number(top)}
      </span>
      <svg
        viewBox={`0 -4 ${WIDTH} ${HEIGHT + 8}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={t('turnout.curve', {
          from: times[0],
          to: times[1],
          count: format.number(last.ballots),
        })}
      >
        <path
          d={`M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT}H${WIDTH}`}
          className="q-grid-line"
        />
        <path d={`${line}V${HEIGHT}Z`} className="q-curve-area" />
        <path d={line} className="q-curve-line" />
      </svg>
      <div className="q-curve-times" aria-hidden="true">
        <span dir="auto">{times[0]}</span>
        <span dir="auto">{times[1]}</span>
      </div>
    </div>
  );
}

function CurveTable({ points }: { readonly points: readonly Point[] }) {
  const { t } = useTranslation();
  const format = useFormats();
  return (
    <table className="q-table">
      <thead>
        <tr>
          <th scope="col">{t('turnout.time')}</th>
          <th scope="col" className="q-number">
            {t('turnout.count')}
          </th>
        </tr>
      </thead>
      <tbody>
        {thin(points, 24).map(({ minute, ballots }) => (
          <tr key={minute}>
            <td>{format.minute(minutesToMs(minute))}</td>
            <td className="q-number">{format.number(ballots)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
