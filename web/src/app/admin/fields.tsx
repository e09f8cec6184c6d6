/** The inputs that the administration's forms are made of, each with its label and a hint. */

import { type ReactNode, useId } from 'react';
import { useTranslation } from 'react-i18next';
import { minutesToMs, ownZone, useFormats } from '../ui/format.ts';

interface Labelled {
  readonly label: string;
  readonly hint?: ReactNode;
}

function Field({ id, label, hint, children }: Labelled & { id: string; children: ReactNode }) {
  return (
    <div className="q-field">
      <label htmlFor={id}>{label}</label>
      {children}
      {hint !== undefined && (
        <span className="q-muted q-small" id={`${id}-hint`}>
          {hint}
        </span>
      )}
    </div>
  );
}

interface Valued<T> extends Labelled {
  readonly value: T;
  readonly onValue: (value: T) => void;
}

export function TextField({
  value,
  onValue,
  isCode = false,
  ...labelled
}: Valued<string> & { readonly isCode?: boolean }) {
  const id = useId();
  return (
    <Field id={id} {...labelled}>
      <input
        id={id}
        className={`q-input ${isCode ? 'q-mono' : ''}`}
        value={value}
        maxLength={500}
        aria-describedby={labelled.hint === undefined ? undefined : `${id}-hint`}
        onChange={({ target }) => onValue(target.value)}
      />
    </Field>
  );
}

/** Several texts, one a line. */
export function LinesField({
  value,
  onValue,
  rows = 3,
  ...labelled
}: Valued<string> & { readonly rows?: number }) {
  const id = useId();
  return (
    <Field id={id} {...labelled}>
      <textarea
        id={id}
        className="q-input"
        rows={rows}
        value={value}
        aria-describedby={labelled.hint === undefined ? undefined : `${id}-hint`}
        onChange={({ target }) => onValue(target.value)}
      />
    </Field>
  );
}

interface NumberProps extends Valued<number> {
  readonly min?: number;
  readonly max?: number;
}

export function NumberField({ value, onValue, min = 0, max, ...labelled }: NumberProps) {
  const id = useId();
  return (
    <Field id={id} {...labelled}>
      <input
        id={id}
        type="number"
        className="q-input q-narrow-input"
        min={min}
        max={max}
        value={value}
        aria-describedby={labelled.hint === undefined ? undefined : `${id}-hint`}
        onChange={({ target }) => onValue(Math.max(0, Math.floor(target.valueAsNumber) || 0))}
      />
    </Field>
  );
}

interface ChoiceProps<T extends string> extends Valued<T> {
  readonly options: readonly { readonly value: T; readonly text: string }[];
}

export function ChoiceField<T extends string>({
  value,
  onValue,
  options,
  ...labelled
}: ChoiceProps<T>) {
  const id = useId();
  return (
    <Field id={id} {...labelled}>
      <select
        id={id}
        className="q-select q-select-wide"
        value={value}
        aria-describedby={labelled.hint === undefined ? undefined : `${id}-hint`}
        onChange={({ target }) => {
          const found = options.find((one) => one.value === target.value);
          if (found !== undefined) onValue(found.value);
        }}
      >
        {options.map((one) => (
          <option key={one.value} value={one.value}>
            {one.text}
          </option>
        ))}
      </select>
    </Field>
  );
}

interface CheckProps {
  readonly label: string;
  readonly value: boolean;
  readonly onValue: (value: boolean) => void;
}

export function CheckField({ label, value, onValue }: CheckProps) {
  return (
    <label className="q-check">
      <input type="checkbox" checked={value} onChange={({ target }) => onValue(target.checked)} />
      {label}
    </label>
  );
}

interface TimeProps {
  readonly label: string;
  /** Minutes since 1970 UTC. */
  readonly value: number | undefined;
  readonly onValue: (minutes: number | undefined) => void;
}

/** A time in the viewer's zone, shown in UTC, too. */
export function TimeField({ label, value, onValue }: TimeProps) {
  const { t } = useTranslation('admin');
  const { time } = useFormats();
  const id = useId();
  const local = (minutes: number) => {
    const at = new Date(minutesToMs(minutes));
    return new Date(at.getTime() - 60_000 * at.getTimezoneOffset()).toISOString().slice(0, 16);
  };
  const read = (text: string) => {
    const ms = Date.parse(text);
    onValue(Number.isNaN(ms) ? undefined : Math.floor(ms / 60_000));
  };
  const hint = (
    <>
      {t('create.zone', { zone: ownZone() })}
      {value !== undefined && ` · ${time(minutesToMs(value), 'UTC')}`}
    </>
  );
  return (
    <Field id={id} label={label} hint={hint}>
      <input
        id={id}
        type="datetime-local"
        className="q-input"
        value={value === undefined ? '' : local(value)}
        aria-describedby={`${id}-hint`}
        onChange={({ target }) => read(target.value)}
      />
    </Field>
  );
}
