import { useTranslation } from 'react-i18next';
import { GENERAL_LIMITS } from '../election/limits.ts';
import { Card } from '../ui/ui.tsx';

/** What the system does not promise, whatever the election. */
export function LimitsPage() {
  const { t } = useTranslation();
  return (
    <div className="q-stack">
      <h1>{t('limits.title')}</h1>
      <p className="q-lead">{t('limits.lead')}</p>
      <Card>
        <ul className="q-prose q-stack-s">
          {GENERAL_LIMITS.map(({ key }) => (
            <li key={key}>{t(`limit.${key}`)}</li>
          ))}
        </ul>
      </Card>
    </div>
  );
}
