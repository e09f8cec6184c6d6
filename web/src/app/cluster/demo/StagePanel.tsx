import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { useFormats } from '../../ui/format.ts';
import type { DemoView } from '../types.ts';
import type { Actions } from './useDemo.ts';

interface StagePanelProps {
  readonly demo: DemoView;
  readonly canAct: boolean;
  readonly act: Actions;
}

/** The election that goes on by itself, and whether it and the faults do. */
export function StagePanel({ demo, canAct, act }: StagePanelProps) {
  const { t } = useTranslation('cluster');
  const { number } = useFormats();
  const { election, settings } = demo;
  const step = election.step === '' ? 'preparing' : election.step;
  return (
    <section className="q-card q-stack-s c-stage" aria-labelledby="stage">
      <div className="q-row q-spread">
        <h2 id="stage">{t('stage.title', { number: number(Math.max(1, election.number)) })}</h2>
        <span className="q-tag" data-tone={step === 'voting' ? 'accent' : 'plain'}>
          {t(`stage.step.${step}`)}
        </span>
      </div>
      <p className="q-muted">{t(`stage.text.${step}`)}</p>
      <div className="c-turnout">
        <progress
          max={Math.max(1, election.ballots)}
          value={election.finals}
          aria-label={t('stage.finals')}
        />
        <p className="c-tabular">
          <strong>{number(election.finals)}</strong> / {number(election.ballots)}{' '}
          {t('stage.finals')}
        </p>
      </div>
      {election.id !== null && (
        <p className="q-row">
          <Link to="/e/$id" params={{ id: election.id }}>
            {t('stage.open')}
          </Link>
          {election.guest_code !== null && step === 'voting' && (
            <span>
              {t('stage.guest')} <code>{election.guest_code}</code>
            </span>
          )}
        </p>
      )}
      {election.trouble !== null && (
        <p className="c-warn" lang="en" dir="ltr">
          {election.trouble}
        </p>
      )}
      <div className="q-row">
        <Switch
          label={t('stage.tour')}
          isOn={settings.tour}
          canAct={canAct}
          onChange={(tour) => act.choose({ tour })}
        />
        <Switch
          label={t('stage.script')}
          isOn={settings.script}
          canAct={canAct}
          onChange={(script) => act.choose({ script })}
        />
      </div>
    </section>
  );
}

interface SwitchProps {
  readonly label: string;
  readonly isOn: boolean;
  readonly canAct: boolean;
  readonly onChange: (isOn: boolean) => void;
}

function Switch({ label, isOn, canAct, onChange }: SwitchProps) {
  return (
    <label className="c-switch">
      <input
        type="checkbox"
        role="switch"
        aria-checked={isOn}
        checked={isOn}
        disabled={!canAct}
        onChange={({ target }) => onChange(target.checked)}
      />
      <span>{label}</span>
    </label>
  );
}
