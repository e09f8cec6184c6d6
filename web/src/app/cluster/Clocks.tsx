import { useTranslation } from 'react-i18next';
import type { ClusterView } from './types.ts';

/** Ballots are stamped to the minute; a clock that is further off is named. */
const LIMIT_MS = 2_000;

/** How the nodes' clocks differ from that of the node which judges. */
export function Clocks({ view }: { view: ClusterView }) {
  const { t, i18n } = useTranslation('cluster');
  const digits = new Intl.NumberFormat(i18n.language, { signDisplay: 'exceptZero' });
  const suspects = view.nodes.filter(
    ({ clock_ahead_ms }) => clock_ahead_ms !== null && Math.abs(clock_ahead_ms) > LIMIT_MS,
  );
  return (
    <section className="q-card q-stack-s" aria-labelledby="clocks">
      <h2 id="clocks">{t('clock.title')}</h2>
      <p className="q-small q-muted">
        {t('clock.text', { node: view.seen_by, limit: LIMIT_MS / 1000 })}
      </p>
      <table className="c-clock">
        <tbody>
          {view.nodes.map(({ node, clock_ahead_ms: ahead }) => (
            <tr key={node} data-off={(ahead !== null && Math.abs(ahead) > LIMIT_MS) || undefined}>
              <th scope="row">{t('node.name', { node })}</th>
              <td>
                {node === view.seen_by
                  ? t('clock.own')
                  : ahead === null
                    ? '–'
                    : `${digits.format(ahead)} ms`}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {suspects.map(({ node }) => (
        <p key={node} className="c-warn">
          {t('clock.suspect', { node })}
        </p>
      ))}
    </section>
  );
}
