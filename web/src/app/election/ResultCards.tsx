import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api, take } from '../api/client.ts';
import { minutesToMs, useFormats } from '../ui/format.ts';
import { Icon } from '../ui/icons.tsx';
import { saveAs } from '../ui/save.ts';
import { Card, Loading } from '../ui/ui.tsx';
import { type ContestRows, resultCsv, resultJson, rowsOf } from './results.ts';
import type { Election } from './useElection.ts';

/** When the result became an entry, in milliseconds since 1970 UTC. */
export function usePublished({ id, entries, phase }: Election): number | undefined {
  const from = Math.max(1, entries - 99);
  const { data } = useQuery({
    queryKey: ['elections', id, 'published'],
    queryFn: async () => {
      const params = { path: { id }, query: { from } };
      const { entries: lines } = await take(api.GET('/api/v1/elections/{id}/entries', { params }));
      return lines.findLast((line) => line.kind === 'result' && line.leaf !== null)?.stamp ?? null;
    },
    enabled: phase === 'published',
    staleTime: Number.POSITIVE_INFINITY,
  });
  return data == null ? undefined : minutesToMs(data);
}

/** The result: bars, table, files. */
export function ResultCards({ election }: { readonly election: Election }) {
  const { t } = useTranslation();
  const { number, percent, time } = useFormats();
  const published = usePublished(election);
  const { definition, result, turnout, title, id } = election;
  if (definition == null || result == null) return <Loading />;
  const { counts, decisions } = result;
  const contests = rowsOf(definition.contests, counts, decisions, decisions);
  const name = (title ?? id).replace(/[^\p{L}\p{N}]+/gu, '-').toLowerCase();
  return (
    <div className="q-stack">
      <div className="q-row q-spread">
        <p>
          {t('results.summary', {
            ballots: number(result.ballots),
            voters: number(turnout.roll_voters),
            share: percent(result.ballots, turnout.roll_voters),
          })}
          {published !== undefined && ` ${t('results.published', { time: time(published) })}`}
        </p>
        <span className="q-row q-no-print">
          <button
            type="button"
            className="q-button"
            data-size="s"
            onClick={() => saveAs(`${name}.csv`, resultCsv(contests), 'text/csv')}
          >
            <Icon name="download" size={17} /> CSV
          </button>
          <button
            type="button"
            className="q-button"
            data-size="s"
            onClick={() =>
              saveAs(`${name}.json`, resultJson(election, published), 'application/json')
            }
          >
            <Icon name="download" size={17} /> JSON
          </button>
          <button type="button" className="q-button" data-size="s" onClick={() => print()}>
            {t('results.print')}
          </button>
        </span>
      </div>
      {contests.map((contest, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: contests keep their place
        <Contest key={at} contest={contest} />
      ))}
    </div>
  );
}

/** The counts of an open poll before it is closed, with the signatures that they stand under. */
export function LiveCards({ election }: { readonly election: Election }) {
  const { t } = useTranslation();
  const { number } = useFormats();
  const { definition, turnout } = election;
  const { live, contests: participation } = turnout;
  if (definition == null || live === null) return null;
  return (
    <div className="q-stack">
      <Card title={t('results.live')}>
        <p>{t('results.liveText', { size: number(live.size) })}</p>
        <details>
          <summary>{t('results.checkpoint')}</summary>
          <pre className="q-small" dir="ltr">
            {live.checkpoint}
          </pre>
        </details>
      </Card>
      {rowsOf(definition.contests, live.counts, participation).map((contest, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: contests keep their place
        <Contest key={at} contest={contest} />
      ))}
    </div>
  );
}

/** Who won, or why nobody did, and how many took part. */
function Decided({ contest }: { readonly contest: ContestRows }) {
  const { t } = useTranslation();
  const { number, percent } = useFormats();
  const { decision, rows, quorumPercent } = contest;
  if (decision === undefined) return null;
  const { finding, winners, tied, eligible, ballots, paper } = decision;
  const names = (options: readonly number[]) =>
    options.map((option) => rows[option]?.option ?? option).join(', ');
  const share = percent(ballots.weight + paper.weight, eligible.weight);
  const sentence = {
    decided: t('results.decided', { options: names(winners) }),
    lot: t('results.lot', { options: names(tied) }),
    runoff: t('results.runoff', { options: names(tied) }),
    'no-quorum': t('results.noQuorum', { share, quorum: percent(quorumPercent, 100) }),
    'no-majority': t('results.noMajority'),
    withheld: t('results.withheld'),
  }[finding];
  return (
    <>
      <p>
        <strong>{sentence}</strong>
        {tied.length > 0 &&
          winners.length > 0 &&
          ` ${t('results.alsoChosen', { options: names(winners) })}`}
      </p>
      <p className="q-muted q-small">
        {t('results.answered', {
          ballots: number(ballots.voters),
          voters: number(eligible.voters),
          share: percent(ballots.voters, eligible.voters),
        })}
        {paper.voters > 0 && ` ${t('results.paper', { paper: number(paper.voters) })}`}
      </p>
    </>
  );
}

function Contest({ contest }: { readonly contest: ContestRows }) {
  const { t } = useTranslation();
  const { number, percent } = useFormats();
  const { kind, highest, isWithheld, weight } = contest;
  if (isWithheld) {
    return (
      <Card title={contest.title}>
        <Decided contest={contest} />
      </Card>
    );
  }
  const full = weight * highest;
  const shares = { one: 'results.sharesOne', score: 'results.sharesScore' }[
    kind as 'one' | 'score'
  ];
  return (
    <Card title={contest.title}>
      <Decided contest={contest} />
      <table className="q-table q-bars">
        <caption className="q-visually-hidden">{contest.title}</caption>
        <thead>
          <tr>
            <th scope="col">{t('results.option')}</th>
            <th scope="col" className="q-number">
              {t('results.votes')}
            </th>
            <th scope="col" className="q-number">
              {t('results.share')}
            </th>
          </tr>
        </thead>
        <tbody>
          {contest.rows.map(({ option, votes, isBlank }) => (
            <tr key={option} data-best={!isBlank && votes === contest.best && votes > 0}>
              <th scope="row">
                {isBlank ? t('results.blank') : option}
                <span className="q-bar" aria-hidden="true">
                  <span
                    data-blank={isBlank}
                    style={{ inlineSize: `${full === 0 ? 0 : (100 * votes) / full}%` }}
                  />
                </span>
              </th>
              <td className="q-number">{number(votes)}</td>
              <td className="q-number">{percent(votes, full)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="q-muted q-small">{t(shares ?? 'results.sharesSome')}</p>
    </Card>
  );
}
