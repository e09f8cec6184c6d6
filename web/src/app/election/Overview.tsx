import { Link } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormats } from '../ui/format.ts';
import { Icon } from '../ui/icons.tsx';
import { Told } from '../ui/Told.tsx';
import { Card, Loading, Notice } from '../ui/ui.tsx';
import { boothPath } from './paths.ts';
import { LiveCards, ResultCards } from './ResultCards.tsx';
import { TrackerForm } from './TrackerForm.tsx';
import { Turnout } from './Turnout.tsx';
import { type Election, useLoadedElection } from './useElection.ts';

const RollCheck = lazy(() =>
  import('./RollCheck.tsx').then((module) => ({ default: module.RollCheck })),
);

/** The first tab: what one can do now, how many have voted, the result when there is one. */
export function Overview() {
  const election = useLoadedElection();
  return (
    <>
      {election.phase === 'published' ? (
        <ResultCards election={election} />
      ) : (
        <LiveCards election={election} />
      )}
      <div className="q-overview">
        <div className="q-stack">
          <NextCard {...election} />
          <FindCard id={election.id} />
        </div>
        <div className="q-stack">
          <TurnoutCard {...election} />
          <RollCard {...election} />
        </div>
      </div>
    </>
  );
}

function NextCard({ id, phase, blockers }: Election) {
  const { t } = useTranslation();
  const isBefore = phase === 'draft' || phase === 'setup';
  return (
    <Card title={t(`next.${phase}.title`)}>
      <p>{t(`next.${phase}.text`)}</p>
      {phase === 'open' && (
        <>
          <div>
            <a className="q-button" data-kind="primary" href={boothPath(id)}>
              {t('next.vote')} <Icon name="ballot" />
            </a>
          </div>
          <p className="q-muted q-small">{t('next.again')}</p>
        </>
      )}
      {isBefore && blockers.length > 0 && (
        <details>
          <summary>{t('next.blockers', { count: blockers.length })}</summary>
          <ul>
            {blockers.map((blocker) => (
              <li key={blocker.text}>
                <Told family="blocker" {...blocker} />
              </li>
            ))}
          </ul>
        </details>
      )}
      {phase === 'published' && (
        <div>
          <Link className="q-button" data-kind="primary" to="/e/$id/verify" params={{ id }}>
            {t('next.verify')}
          </Link>
        </div>
      )}
    </Card>
  );
}

function TurnoutCard(election: Election) {
  const { t } = useTranslation();
  const { phase } = election;
  if (phase === 'draft' || phase === 'setup') {
    return (
      <Card title={t('turnout.title')}>
        <p className="q-muted">{t('turnout.notYet')}</p>
      </Card>
    );
  }
  return (
    <Card title={t('turnout.title')}>
      <Turnout {...election} />
    </Card>
  );
}

function FindCard({ id }: { readonly id: string }) {
  const { t } = useTranslation();
  return (
    <Card title={t('find.title')}>
      <p>{t('find.text')}</p>
      <TrackerForm id={id} />
    </Card>
  );
}

function RollCard({ id, phase, turnout }: Election) {
  const { t } = useTranslation();
  const { number } = useFormats();
  const [isAsked, ask] = useState(false);
  return (
    <Card title={t('roll.title')}>
      <p>{t('roll.text')}</p>
      {turnout.roll_voters > 0 && (
        <p className="q-muted">
          {t('roll.size', { count: turnout.roll_voters, formatted: number(turnout.roll_voters) })}
        </p>
      )}
      {phase === 'draft' && turnout.roll_voters === 0 && <Notice>{t('roll.draft')}</Notice>}
      {isAsked ? (
        <Suspense fallback={<Loading lines={2} />}>
          <RollCheck id={id} />
        </Suspense>
      ) : (
        <div>
          <button type="button" className="q-button" onClick={() => ask(true)}>
            {t('roll.open')}
          </button>
        </div>
      )}
    </Card>
  );
}
