import { useEffect, useId, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Notice } from '../../ui/ui.tsx';
import type { FaultKind, Forecast } from '../types.ts';
import { expectation } from '../words.ts';

interface FaultDialogProps {
  readonly kind: FaultKind;
  readonly node: number | null;
  readonly forecast: Forecast;
  readonly onClose: () => void;
  readonly onConfirm: () => void;
}

/** Says what will come of it; where everything would stand still, asks for the name to be typed. */
export function FaultDialog({ kind, node, forecast, onClose, onConfirm }: FaultDialogProps) {
  const { t } = useTranslation('cluster');
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const [typed, setTyped] = useState('');
  useEffect(() => {
    const shown = dialog.current;
    if (shown?.open === false) shown.showModal();
  }, []);
  const word = t('node.name', { node });
  const mustType = forecast.stops_cluster;
  const same = (text: string) => text.trim().replace(/\s+/g, ' ').toLowerCase();
  const isConfirmed = !mustType || same(typed) === same(word);
  return (
    <dialog
      ref={dialog}
      className="c-dialog"
      aria-labelledby={`${id}-title`}
      aria-describedby={`${id}-text`}
      onClose={onClose}
    >
      <form
        className="q-stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (isConfirmed) onConfirm();
        }}
      >
        <h2 id={`${id}-title`}>{t('fault.ask', { what: t(`kind.${kind}`), node: word })}</h2>
        <div id={`${id}-text`}>
          <Notice tone={mustType ? 'warn' : 'info'} title={t('fault.expected')}>
            <p>{expectation(kind, node, forecast, t)}</p>
          </Notice>
        </div>
        {mustType && (
          <div className="q-field">
            <label htmlFor={`${id}-word`}>{t('fault.type', { word })}</label>
            <input
              id={`${id}-word`}
              className="q-input"
              autoComplete="off"
              value={typed}
              onChange={({ target }) => setTyped(target.value)}
            />
          </div>
        )}
        <div className="q-row c-dialog-end">
          <button type="button" className="q-button" onClick={onClose}>
            {t('fault.cancel')}
          </button>
          <button
            type="submit"
            className="q-button"
            data-kind={mustType ? 'danger' : 'primary'}
            disabled={!isConfirmed}
          >
            {t('fault.confirm', { what: t(`kind.${kind}`), node: word })}
          </button>
        </div>
      </form>
    </dialog>
  );
}
