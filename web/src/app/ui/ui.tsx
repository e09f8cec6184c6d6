/** The building blocks of all pages. */

import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../api/problem.ts';
import { Icon, type IconName } from './icons.tsx';
import { isKnown, Told } from './Told.tsx';

export type Tone = 'plain' | 'info' | 'good' | 'warn' | 'bad' | 'accent';

export function Tag({ tone = 'plain', children }: { tone?: Tone; children: ReactNode }) {
  return (
    <span className="q-tag" data-tone={tone}>
      {children}
    </span>
  );
}

export function Card({
  title,
  children,
  id,
}: {
  title?: ReactNode;
  children: ReactNode;
  id?: string;
}) {
  return (
    <section className="q-card q-stack" id={id}>
      {title !== undefined && <h2>{title}</h2>}
      {children}
    </section>
  );
}

const NOTICE_ICONS: Record<Tone, IconName> = {
  plain: 'info',
  info: 'info',
  accent: 'info',
  good: 'check',
  warn: 'warn',
  bad: 'warn',
};

interface NoticeProps {
  readonly tone?: Tone;
  readonly title?: ReactNode;
  readonly children?: ReactNode;
  /** Read out at once when it appears. */
  readonly alert?: boolean;
}

export function Notice({ tone = 'info', title, children, alert = false }: NoticeProps) {
  return (
    <div className="q-notice" data-tone={tone} role={alert ? 'alert' : undefined}>
      <Icon name={NOTICE_ICONS[tone]} />
      <div>
        {title !== undefined && <strong>{title}</strong>}
        {children}
      </div>
    </div>
  );
}

/** Codes that many things share: what exactly is in the node's own sentence. */
const SHARED_CODES = new Set([
  ...['malformed', 'invalid', 'not-found', 'forbidden', 'unavailable', 'not-now', 'login-failed'],
  ...['not-ready', 'bad-manifest', 'bad-roll', 'bad-ceremony', 'bad-order', 'not-allowed'],
]);

/** A refusal in the reader's language, with the node's own words where they say more. */
function ProblemText({ error }: { error: unknown }) {
  const { t } = useTranslation();
  const { i18n } = useTranslation('nodes', { useSuspense: false });
  if (!(error instanceof ApiError)) return <p>{String(error)}</p>;
  const { code, title, detail } = error;
  if (error.status === 0) return <p>{t('common.noAnswer')}</p>;
  const family = isKnown(i18n, 'problem', code) ? 'problem' : 'refusal';
  const unknown = title === undefined || title === detail ? detail : `${title}: ${detail}`;
  return (
    <>
      <p>
        <Told family={family} code={code} text={unknown} />
      </p>
      {isKnown(i18n, family, code) && SHARED_CODES.has(code) && (
        <p className="q-small" lang="en" dir="ltr">
          {detail}
        </p>
      )}
    </>
  );
}

interface FailureProps {
  readonly error: unknown;
  readonly retry?: () => void;
  /** What to do about it, where the page knows more than the node. */
  readonly children?: ReactNode;
}

/** Says what went wrong, and offers another try. */
export function Failure({ error, retry, children }: FailureProps) {
  const { t } = useTranslation();
  const known = error instanceof ApiError ? error : undefined;
  return (
    <Notice tone="bad" title={t('common.failed')} alert>
      <ProblemText error={error} />
      {children}
      {known !== undefined && known.errors.length > 0 && (
        <ul>
          {known.errors.map(({ pointer, detail }) => (
            <li key={pointer + detail}>
              <code>{pointer}</code>{' '}
              <span lang="en" dir="ltr">
                {detail}
              </span>
            </li>
          ))}
        </ul>
      )}
      {known?.requestId !== undefined && (
        <p className="q-small q-muted">{t('common.request', { id: known.requestId })}</p>
      )}
      {retry !== undefined && (
        <div>
          <button type="button" className="q-button" data-size="s" onClick={retry}>
            {t('common.retry')}
          </button>
        </div>
      )}
    </Notice>
  );
}

export function Empty({
  icon,
  title,
  children,
}: {
  icon: IconName;
  title: string;
  children?: ReactNode;
}) {
  return (
    <div className="q-empty">
      <Icon name={icon} size={36} />
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** Grey lines where text will be. */
export function Loading({ lines = 4 }: { lines?: number }) {
  const { t } = useTranslation();
  const widths = Array.from({ length: lines }, (_, line) => `${95 - ((line * 23) % 45)}%`);
  return (
    <div className="q-stack-s" role="status">
      <span className="q-visually-hidden">{t('common.loading')}</span>
      {widths.map((width, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines never change
        <span className="q-skeleton" style={{ width }} key={line} />
      ))}
    </div>
  );
}
