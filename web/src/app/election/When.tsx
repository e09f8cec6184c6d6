import { useTranslation } from 'react-i18next';
import { useNow } from '../feed/useFeed.ts';
import { minutesToMs, ownZone, useFormats } from '../ui/format.ts';
import type { PhaseName } from '../ui/PhaseTag.tsx';

interface Props {
  readonly phase: PhaseName;
  /** Minutes since 1970 UTC. */
  readonly opens: number | null;
  readonly closes: number | null;
}

/** Opening and closing in the election's zone and the viewer's own, and how long it is until then. */
export function When({ phase, opens, closes }: Props) {
  if (opens === null && closes === null) return null;
  return (
    <dl className="q-when">
      {opens !== null && <Moment what="opens" at={minutesToMs(opens)} phase={phase} />}
      {closes !== null && <Moment what="closes" at={minutesToMs(closes)} phase={phase} />}
    </dl>
  );
}

function Moment({ what, at, phase }: { what: 'opens' | 'closes'; at: number; phase: PhaseName }) {
  const { t } = useTranslation();
  const format = useFormats();
  const now = useNow();
  const own = ownZone();
  const isOver = phase === 'closed' || phase === 'published';
  const isDue = !isOver && !(what === 'opens' && phase === 'open');
  return (
    <div>
      <dt>{t(`when.${what}`)}</dt>
      <dd>
        <time dateTime={new Date(at).toISOString()}>{format.time(at, 'UTC')}</time>
        {own !== 'UTC' && (
          <span className="q-muted q-small">{t('when.own', { time: format.time(at, own) })}</span>
        )}
        {isDue && (
          <strong className="q-small">
            {at > now
              ? t('when.in', { span: format.span(at - now) })
              : t(`when.due.${what}`, { span: format.span(now - at) })}
          </strong>
        )}
      </dd>
    </div>
  );
}
