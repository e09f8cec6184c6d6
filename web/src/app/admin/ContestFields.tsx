import { useId } from 'react';
import { useTranslation } from 'react-i18next';
import { type ContestForm, linesOf } from './form.ts';

interface Props {
  readonly number: number;
  readonly contest: ContestForm;
  readonly onChange: (with_: Partial<ContestForm>) => void;
  readonly onRemove: (() => void) | undefined;
}

/** One question: what is asked, what can be answered, how many may be chosen. */
export function ContestFields({ number, contest, onChange, onRemove }: Props) {
  const { t } = useTranslation('admin');
  const field = useId();
  const count = linesOf(contest.options).length;
  const bound = (key: 'min' | 'max') => (
    <div className="q-field">
      <label htmlFor={`${field}-${key}`}>{t(`create.${key}`)}</label>
      <input
        id={`${field}-${key}`}
        type="number"
        className="q-input q-narrow-input"
        min={0}
        max={count}
        value={contest[key]}
        onChange={({ target }) => onChange({ [key]: Math.max(0, target.valueAsNumber || 0) })}
      />
    </div>
  );
  return (
    <fieldset className="q-fieldset q-stack">
      <legend>{t('create.question', { number })}</legend>
      <div className="q-field">
        <label htmlFor={`${field}-title`}>{t('create.asked')}</label>
        <input
          id={`${field}-title`}
          className="q-input"
          value={contest.title}
          onChange={({ target }) => onChange({ title: target.value })}
        />
      </div>
      <div className="q-field">
        <label htmlFor={`${field}-options`}>{t('create.options')}</label>
        <textarea
          id={`${field}-options`}
          className="q-input"
          rows={4}
          value={contest.options}
          onChange={({ target }) => onChange({ options: target.value })}
        />
        <span className="q-muted q-small">{t('create.optionsText', { count })}</span>
      </div>
      <div className="q-filters">
        <div className="q-field">
          <label htmlFor={`${field}-kind`}>{t('create.kind')}</label>
          <select
            id={`${field}-kind`}
            className="q-select q-select-wide"
            value={contest.kind}
            onChange={({ target }) => onChange({ kind: target.value === 'some' ? 'some' : 'one' })}
          >
            <option value="one">{t('create.kinds.one')}</option>
            <option value="some">{t('create.kinds.some')}</option>
          </select>
        </div>
        {contest.kind === 'some' && bound('min')}
        {contest.kind === 'some' && bound('max')}
        <label className="q-check">
          <input
            type="checkbox"
            checked={contest.blank}
            onChange={({ target }) => onChange({ blank: target.checked })}
          />
          {t('create.blank')}
        </label>
      </div>
      {onRemove !== undefined && (
        <div>
          <button type="button" className="q-button" data-size="s" onClick={onRemove}>
            {t('create.removeQuestion')}
          </button>
        </div>
      )}
    </fieldset>
  );
}
