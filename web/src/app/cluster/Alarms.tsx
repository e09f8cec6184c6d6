import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client.ts';
import { minutesToMs, useFormats } from '../ui/format.ts';
import { isKnown, Told } from '../ui/Told.tsx';
import { Notice } from '../ui/ui.tsx';

type Alarm = Schemas['Alarm'];

/** Alarms that are shown, the newest ones; a node that lies may raise hundreds. */
const SHOWN = 8;

interface AlarmsProps {
  readonly alarms: readonly Alarm[];
  /** Names of authorities by number. */
  readonly names: ReadonlyMap<number, string>;
}

/** What must not happen and has happened, as authorities have noticed it. */
export function Alarms({ alarms, names }: AlarmsProps) {
  const { t } = useTranslation('cluster');
  const { number } = useFormats();
  if (alarms.length === 0) return null;
  const newest = [...alarms].sort((one, other) => other.minutes - one.minutes).slice(0, SHOWN);
  const left = alarms.length - newest.length;
  return (
    <Notice tone="bad" title={t('alarm.title', { count: alarms.length })}>
      <ul className="q-list">
        {newest.map((alarm) => (
          <li key={`${alarm.authority} ${alarm.code} ${alarm.what}`}>
            <AlarmText alarm={alarm} by={names.get(alarm.authority) ?? number(alarm.authority)} />
          </li>
        ))}
      </ul>
      {left > 0 && <p className="q-small">{t('alarm.more', { count: left })}</p>}
    </Notice>
  );
}

/**
 * The sentence by its code, and what the authority itself said: another authority, perhaps of
 * another version, or one that lies, has written that.
 */
function AlarmText({ alarm, by }: { readonly alarm: Alarm; readonly by: string }) {
  const { t } = useTranslation('cluster');
  const { i18n } = useTranslation('nodes', { useSuspense: false });
  const { minute } = useFormats();
  const { code, what, texts, minutes, times } = alarm;
  return (
    <>
      <p>
        <Told family="alarm" code={code} text={what} />
      </p>
      {isKnown(i18n, 'alarm', code) && (
        <p className="q-small c-said" lang="en" dir="ltr">
          {what}
        </p>
      )}
      <p className="q-small q-muted">
        {t('alarm.by', { name: by, time: minute(minutesToMs(minutes)) })}
        {times > 1 && ` · ${t('alarm.times', { count: times })}`}
      </p>
      {texts.length > 0 && (
        <details>
          <summary>{t('alarm.proof')}</summary>
          {texts.map((text) => (
            <pre key={text} className="q-mono c-said">
              {text}
            </pre>
          ))}
        </details>
      )}
    </>
  );
}
