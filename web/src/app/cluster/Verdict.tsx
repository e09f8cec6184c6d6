import { useTranslation } from 'react-i18next';
import type { ClusterView } from './types.ts';
import type { Freshness } from './useCluster.ts';
import { shortSpan, verdict } from './words.ts';

interface VerdictProps {
  readonly view: ClusterView;
  readonly freshness: Freshness;
}

/** How it stands, in one sentence that can be read from the last row, and how old that is. */
export function Verdict({ view, freshness }: VerdictProps) {
  const { t } = useTranslation('cluster');
  const tone = freshness.kind === 'live' ? view.level : 'unknown';
  return (
    <section className="c-verdict" data-level={tone} aria-label={t('verdict.label')}>
      <span className="c-lamp" aria-hidden="true" />
      <div className="c-verdict-text">
        <h1 className="q-visually-hidden">{t('title')}</h1>
        <p className="c-sentence" role="status">
          {verdict(view, t)}
        </p>
        <Freshly view={view} freshness={freshness} />
      </div>
    </section>
  );
}

function Freshly({ view, freshness }: VerdictProps) {
  const { t } = useTranslation('cluster');
  const age = shortSpan(freshness.ageMs);
  const seen = t('fresh.seen', { node: view.seen_by });
  if (freshness.kind === 'live') {
    return (
      <p className="c-fresh">
        <span className="c-dot" data-tone="good" />
        {t('fresh.live')} · {seen}
      </p>
    );
  }
  return (
    <p className="c-fresh" data-tone="bad">
      <span className="c-dot" data-tone="bad" />
      {t(`fresh.${freshness.kind}`, { age })} · {seen}
    </p>
  );
}
