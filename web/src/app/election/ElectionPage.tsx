import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { PhaseTag } from '../ui/PhaseTag.tsx';
import { Failure, Loading, Notice, Tag } from '../ui/ui.tsx';
import { closingOf } from './closing.ts';
import { type Election, useElection, useElectionId } from './useElection.ts';
import { When } from './When.tsx';

/** One election: what it is and where it stands, above all its tabs. */
export function ElectionPage() {
  const id = useElectionId();
  const asked = useElection(id);
  if (asked.data === undefined) {
    return asked.isError ? (
      <Failure error={asked.error} retry={() => void asked.refetch()} />
    ) : (
      <Loading lines={6} />
    );
  }
  return (
    <div className="q-stack">
      <Heading {...asked.data} />
      <Tabs id={id} />
      <Suspense fallback={<Loading />}>
        <Outlet />
      </Suspense>
    </div>
  );
}

function Heading(election: Election) {
  const { t } = useTranslation();
  const { title, phase, definition } = election;
  return (
    <div className="q-stack-s">
      <div className="q-row">
        <PhaseTag phase={phase} />
        {definition?.test === true && <Tag tone="warn">{t('election.test')}</Tag>}
      </div>
      <h1>{title ?? t('list.untitled')}</h1>
      <p className="q-lead">{t(`election.state.${phase}`)}</p>
      {definition != null && (
        <When phase={phase} opens={definition.opens} closes={closingOf(election)} />
      )}
      {definition?.test === true && <Notice tone="warn">{t('election.testText')}</Notice>}
    </div>
  );
}

const TABS = ['', 'results', 'ledger', 'verify', 'rules'] as const;

function Tabs({ id }: { readonly id: string }) {
  const { t } = useTranslation();
  const path = useRouterState({ select: (state) => state.location.pathname });
  const shown = path.split('/')[3] ?? '';
  return (
    <nav className="q-tabs" aria-label={t('election.tabs')}>
      {TABS.map((tab) => (
        <Link
          key={tab}
          to={tab === '' ? '/e/$id' : `/e/$id/${tab}`}
          params={{ id }}
          activeOptions={{ exact: true }}
          aria-current={shown === tab ? 'page' : undefined}
        >
          {t(`election.tab.${tab === '' ? 'overview' : tab}`)}
        </Link>
      ))}
    </nav>
  );
}
