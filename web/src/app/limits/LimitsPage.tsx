import { useTranslation } from 'react-i18next';

/** What the system does not promise. */
export function LimitsPage() {
  const { t } = useTranslation();
  return (
    <div className="q-stack">
      <h1>{t('limits.title')}</h1>
      <p className="q-lead">{t('limits.lead')}</p>
    </div>
  );
}
