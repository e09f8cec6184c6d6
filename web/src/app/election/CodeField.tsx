import { type FormEvent, type ReactNode, useId } from 'react';

interface Props {
  readonly label: string;
  readonly placeholder: string;
  readonly button: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly onSubmit: () => void;
  readonly isBusy?: boolean;
  /** What is wrong with what was typed. */
  readonly wrong: string | undefined;
  /** What came of it. */
  readonly children?: ReactNode;
}

/** One code to type, and a button: capital letters, no help from the browser. */
export function CodeField({ label, placeholder, button, value, onValue, ...rest }: Props) {
  const { onSubmit, isBusy = false, wrong, children } = rest;
  const field = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSubmit();
  };
  return (
    <form className="q-stack-s" onSubmit={submit}>
      <div className="q-inline-form">
        <div className="q-field">
          <label htmlFor={field}>{label}</label>
          <input
            id={field}
            className="q-input q-mono"
            value={value}
            onChange={({ target }) => onValue(target.value)}
            placeholder={placeholder}
            autoComplete="off"
            autoCapitalize="characters"
            spellCheck={false}
            required
            aria-invalid={wrong !== undefined}
            aria-describedby={wrong === undefined ? undefined : `${field}-wrong`}
          />
        </div>
        <button type="submit" className="q-button" disabled={isBusy}>
          {button}
        </button>
      </div>
      {wrong !== undefined && (
        <p className="q-error" id={`${field}-wrong`} role="alert">
          {wrong}
        </p>
      )}
      {children}
    </form>
  );
}
