import { useTranslation } from 'react-i18next';
import { useFormats } from '../../ui/format.ts';
import { Icon } from '../../ui/icons.tsx';
import type { Invariant } from '../types.ts';
import { shortSpan } from '../words.ts';

/** Older than this and a promise was not looked at lately. */
const OLD_MS = 6_000;

/** What must never happen, and how often it was looked for. */
export function Invariants({ all }: { all: readonly Invariant[] }) {
  const { t } = useTranslation('cluster');
  const broken = all.filter(({ holds }) => !holds).length;
  return (
    <section className="q-card c-promises" aria-labelledby="promises">
      <h2 id="promises">{t('promise.title')}</h2>
      <p className="q-visually-hidden" role="status">
        {broken === 0 ? t('promise.all') : t('promise.broken', { count: broken })}
      </p>
      <ul>
        {all.map((invariant) => (
          <Promised key={invariant.id} invariant={invariant} />
        ))}
      </ul>
    </section>
  );
}

function Promised({ invariant }: { invariant: Invariant }) {
  const { t } = useTranslation('cluster');
  const { number } = useFormats();
  const { id, holds, checked, violations, text, age_ms } = invariant;
  const isOld = age_ms !== null && age_ms > OLD_MS && id !== 'counts';
  const state = !holds ? 'bad' : checked === 0 ? 'none' : isOld ? 'old' : 'good';
  return (
    <li data-state={state}>
      <span className="c-check">
        <Icon name={holds ? 'check' : 'warn'} size={22} />
      </span>
      <div>
        <p>{t(`promise.${id}`)}</p>
        <p className="q-small q-muted c-tabular">
          {checked === 0
            ? t('promise.nothing')
            : t('promise.checked', {
                shown: number(checked),
                of: t(`promise.of.${id}`),
              })}
          {isOld && ` · ${t('promise.age', { age: shortSpan(age_ms) })}`}
        </p>
        {!holds && (
          <p className="c-warn" lang="en" dir="ltr">
            {t('promise.violations', { count: violations })} {text}
          </p>
        )}
      </div>
    </li>
  );
}
