import { useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { parseAdminKey } from '../../election/draft.ts';
import { Tag } from '../ui/ui.tsx';
import { setAdminKey, useAdminKey } from './adminKey.ts';

/** Asks for the administrator's key file, unless it is here already. */
export function KeyField() {
  const { t } = useTranslation('admin');
  const field = useId();
  const key = useAdminKey();
  const [isWrong, setWrong] = useState(false);
  if (key !== undefined) {
    return (
      <div className="q-row">
        <Tag tone="good">{t('key.here')}</Tag>
        <button
          type="button"
          className="q-button"
          data-size="s"
          data-kind="quiet"
          onClick={() => setAdminKey(undefined)}
        >
          {t('key.forget')}
        </button>
      </div>
    );
  }
  const read = async (file: File | undefined) => {
    const seed = file && parseAdminKey(await file.text());
    setWrong(file !== undefined && seed === undefined);
    setAdminKey(seed);
  };
  return (
    <div className="q-field">
      <label htmlFor={field}>{t('key.label')}</label>
      <input
        id={field}
        type="file"
        className="q-file"
        onChange={({ target }) => void read(target.files?.[0])}
      />
      <span className="q-muted q-small">{t('key.text')}</span>
      {isWrong && (
        <p className="q-error" role="alert">
          {t('key.wrong')}
        </p>
      )}
    </div>
  );
}
