import { useQueries, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { api, take } from '../api/client.ts';
import { elections } from '../api/queries.ts';
import { useFormats } from '../ui/format.ts';
import { Alarms } from './Alarms.tsx';

/** Elections whose rounds are shown, the newest ones. */
const SHOWN = 4;
const EVERY_MS = 2_000;

function rounds(id: string) {
  return {
    queryKey: ['elections', id, 'rounds'],
    refetchInterval: EVERY_MS,
    queryFn: () => take(api.GET('/api/v1/elections/{id}/rounds', { params: { path: { id } } })),
  };
}

/** How far the nodes have signed each ledger that still grows. */
export function Finality() {
  const { t } = useTranslation('cluster');
  const { number, percent } = useFormats();
  const asked = useQuery(elections());
  const growing = (asked.data ?? [])
    .filter(({ phase }) => phase === 'open' || phase === 'closed')
    .slice(-SHOWN)
    .reverse();
  const answers = useQueries({ queries: growing.map(({ id }) => rounds(id)) });
  return (
    <section className="q-card q-stack-s" aria-labelledby="finality">
      <h2 id="finality">{t('final.title')}</h2>
      {growing.length === 0 && <p className="q-muted">{t('final.none')}</p>}
      <ul className="q-list">
        {growing.map(({ id, title }, place) => {
          const found = answers[place]?.data;
          if (found === undefined) return null;
          const { leaves, final_size, height, round, waiting, alarms, authorities } = found;
          const names = new Map(authorities.map(({ authority, name }) => [authority, name]));
          return (
            <li key={id} className="c-final">
              <div className="q-row q-spread">
                <Link to="/e/$id" params={{ id }}>
                  {title ?? id}
                </Link>
                <strong className="c-tabular">{percent(final_size, leaves)}</strong>
              </div>
              <progress max={Math.max(1, leaves)} value={final_size} aria-label={title ?? id} />
              <p className="q-small q-muted c-tabular">
                {t('final.text', { final: number(final_size), leaves: number(leaves) })} ·{' '}
                {t('final.round', { height: number(height), round: number(round) })} ·{' '}
                {t('final.waiting', { count: waiting })}
              </p>
              <Alarms alarms={alarms} names={names} />
            </li>
          );
        })}
      </ul>
    </section>
  );
}
