import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon } from './icons.tsx';

/** Copies a text and says so. */
export function CopyButton({ text, label }: { readonly text: string; readonly label?: string }) {
  const { t } = useTranslation();
  const [isDone, setDone] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setDone(true);
    setTimeout(() => setDone(false), 2500);
  };
  return (
    <button type="button" className="q-button" data-size="s" onClick={() => void copy()}>
      <Icon name={isDone ? 'check' : 'copy'} size={17} />
      <span aria-live="polite">{isDone ? t('common.copied') : (label ?? t('common.copy'))}</span>
    </button>
  );
}

/** A command or another long text to take along. */
export function CodeBlock({ text }: { readonly text: string }) {
  return (
    <div className="q-code">
      <pre>
        <code>{text}</code>
      </pre>
      <CopyButton text={text} />
    </div>
  );
}
