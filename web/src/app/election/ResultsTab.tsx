import { useTranslation } from 'react-i18next';
import { Empty } from '../ui/ui.tsx';
import { LiveCards, ResultCards } from './ResultCards.tsx';
import { useLoadedElection } from './useElection.ts';

/** The result, or when there will be one. */
export function ResultsTab() {
  const { t } = useTranslation();
  const election = useLoadedElection();
  if (election.result != null) return <ResultCards election={election} />;
  if (election.turnout.live !== null) return <LiveCards election={election} />;
  const threshold = election.definition?.threshold ?? 0;
  return (
    <Empty icon="lock" title={t('results.none')}>
      <p className="q-prose">
        {election.phase === 'closed'
          ? t('results.counting', { shares: election.shares?.length ?? 0, threshold })
          : t('results.sealed')}
      </p>
    </Empty>
  );
}
