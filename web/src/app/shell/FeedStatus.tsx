import { useTranslation } from 'react-i18next';
import { feed, useFeedState, useNow } from '../feed/useFeed.ts';
import { useFormats } from '../ui/format.ts';

/** Whether what is shown is live; in the header of every page. */
export function FeedStatus() {
  const { t } = useTranslation();
  const { span } = useFormats();
  const state = useFeedState();
  const now = useNow() - feed.clockOffset;
  const words = {
    connecting: () => t('feed.connecting'),
    live: () => t('feed.live'),
    stale: () => t('feed.stale', { age: span(now - ('since' in state ? state.since : now)) }),
    disconnected: () =>
      t('feed.disconnected', {
        wait: span(Math.max(1000, ('retryAt' in state ? state.retryAt : now) - now)),
      }),
  };
  return (
    <span className="q-feed" data-state={state.kind} title={t(`feed.explain.${state.kind}`)}>
      <span className="q-feed-word">{words[state.kind]()}</span>
      <span className="q-visually-hidden" role="status">
        {t(`feed.explain.${state.kind}`)}
      </span>
    </span>
  );
}
