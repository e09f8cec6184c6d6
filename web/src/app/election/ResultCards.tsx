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
  const contests = rowsOf(definition.contests, result.counts);
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
            onClick={() => saveAs(`${name}.csv`, resultCsv(contests, result.weight), 'text/csv')}
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
        <Contest key={at} contest={contest} weight={result.weight} />
      ))}
    </div>
  );
}

function Contest({ contest, weight }: { readonly contest: ContestRows; readonly weight: number }) {
  const { t } = useTranslation();
  const { number, percent } = useFormats();
  const { kind, highest, isWithheld } = contest;
  if (isWithheld) {
    return (
      <Card title={contest.title}>
        <p>{t('results.withheld')}</p>
      </Card>
    );
  }
  const full = weight * highest;
  const shares = { one: 'results.sharesOne', score: 'results.sharesScore' }[
    kind as 'one' | 'score'
  ];
  return (
    <Card title={contest.title}>
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
