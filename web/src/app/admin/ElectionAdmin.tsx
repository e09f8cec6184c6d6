import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { boothPath } from '../election/paths.ts';
import { type Election, useElection } from '../election/useElection.ts';
import { useNow } from '../feed/useFeed.ts';
import { Icon } from '../ui/icons.tsx';
import { PhaseTag } from '../ui/PhaseTag.tsx';
import { Card, Failure, Loading, Tag } from '../ui/ui.tsx';
import { DefinitionCard } from './DefinitionCard.tsx';
import { NextCard } from './NextCard.tsx';
import { Orders } from './Orders.tsx';
import { Outbox } from './Outbox.tsx';
import { ceremony, roll } from './queries.ts';
import { RollImport } from './RollImport.tsx';
import { type Standing, standingOf, type TrusteeProgress, trusteesOf } from './steps.ts';

const route = getRouteApi('/admin/e/$id');
const HEAD_BYTES = 4;
const VOTER_BYTES = 37;

/** How many voters the chunks hold, in base64. */
export function votersIn(chunks: readonly string[]): number {
  return chunks.reduce((sum, chunk) => {
    const padding = chunk.endsWith('==') ? 2 : Number(chunk.endsWith('='));
    const bytes = (chunk.length / 4) * 3 - padding;
    return sum + Math.max(0, Math.floor((bytes - HEAD_BYTES) / VOTER_BYTES));
  }, 0);
}

/** Running one election: the steps, the one thing to do next, and everything around it. */
export function ElectionAdmin() {
  const { t } = useTranslation('admin');
  const { id } = route.useParams();
  const asked = useElection(id);
  const isBefore = asked.data?.phase === 'draft' || asked.data?.phase === 'setup';
  const chunks = useQuery({ ...roll(id), enabled: isBefore });
  const messages = useQuery(ceremony(id, isBefore));
  const now = useNow(30_000);
  const election = asked.data;
  if (election === undefined) {
    return asked.isError ? (
      <Failure error={asked.error} retry={() => void asked.refetch()} />
    ) : (
      <Loading lines={6} />
    );
  }
  const rollVoters = isBefore ? votersIn(chunks.data ?? []) : election.turnout.roll_voters;
  const trustees = trusteesOf(election, messages.data ?? []);
  const standing = standingOf(election, rollVoters, trustees, now);
  return (
    <div className="q-stack">
      <div className="q-stack-s">
        <PhaseTag phase={election.phase} />
        <h1>{election.title ?? id}</h1>
        <p className="q-row q-small">
          <Link to="/e/$id" params={{ id }}>
            {t('election.public')}
          </Link>
          <a href={boothPath(id)}>{t('election.preview')}</a>
        </p>
      </div>
      <Steps standing={standing} />
      <NextCard
        election={election}
        standing={standing}
        chunks={chunks.data ?? []}
        messages={messages.data ?? []}
      />
      <div className="q-grid">
        <Trustees trustees={trustees} threshold={election.definition?.threshold ?? 0} />
        <Card title={t('roll.title')}>
          <p>{rollVoters === 0 ? t('roll.none') : t('roll.size', { count: rollVoters })}</p>
          {election.phase === 'draft' ? (
            <RollImport id={id} hasRoll={rollVoters > 0} />
          ) : (
            <p className="q-muted">{t(sealedText(election))}</p>
          )}
        </Card>
      </div>
      <Orders election={election} asksForKey={standing.next.kind !== 'close'} />
      <Outbox election={election} />
      <DefinitionCard election={election} />
    </div>
  );
}

/** Whether a sealed roll can be changed at all, and whether now. */
function sealedText({ phase, definition }: Election): string {
  if (definition?.roll_changes !== true) return 'roll.sealed';
  const isUnderWay = phase === 'open' || phase === 'paused';
  return isUnderWay ? 'roll.changeable' : 'roll.changeableWhileOpen';
}

function Steps({ standing }: { readonly standing: Standing }) {
  const { t } = useTranslation('admin');
  return (
    <ol className="q-steps" aria-label={t('steps.label')}>
      {standing.steps.map(({ name, state }, at) => (
        <li key={name} data-state={state} aria-current={state === 'current' ? 'step' : undefined}>
          <span className="q-step-mark" aria-hidden="true">
            {state === 'done' ? <Icon name="check" size={16} /> : at + 1}
          </span>
          <span>
            {t(`steps.${name}`)}
            <span className="q-visually-hidden"> ({t(`steps.state.${state}`)})</span>
          </span>
        </li>
      ))}
    </ol>
  );
}

interface TrusteesProps {
  readonly trustees: readonly TrusteeProgress[];
  readonly threshold: number;
}

function Trustees({ trustees, threshold }: TrusteesProps) {
  const { t } = useTranslation('admin');
  const rounds = ['announcement', 'dealing', 'confirmation'] as const;
  return (
    <Card title={t('trustees.title')}>
      <p className="q-muted">{t('trustees.text', { threshold, count: trustees.length })}</p>
      <table className="q-table q-cards">
        <thead>
          <tr>
            <th scope="col">{t('trustees.name')}</th>
            <th scope="col">{t('trustees.ceremony')}</th>
            <th scope="col">{t('trustees.share')}</th>
          </tr>
        </thead>
        <tbody>
          {trustees.map(({ number, name, rounds: done, hasShared }) => {
            const missing = rounds.find((_, at) => done[at] === false);
            return (
              <tr key={number}>
                <td data-label={t('trustees.name')}>{name}</td>
                <td data-label={t('trustees.ceremony')}>
                  {missing === undefined ? (
                    <Tag tone="good">{t('trustees.done')}</Tag>
                  ) : (
                    <Tag tone="warn">{t(`trustees.waits.${missing}`)}</Tag>
                  )}
                </td>
                <td data-label={t('trustees.share')}>
                  <Tag tone={hasShared ? 'good' : 'plain'}>
                    {t(hasShared ? 'trustees.sent' : 'trustees.notYet')}
                  </Tag>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p className="q-small">
        <a href="/quorate-trustee.html" download="quorate-trustee.html">
          {t('trustees.page')}
        </a>{' '}
        <span className="q-muted">{t('trustees.pageText')}</span>
      </p>
    </Card>
  );
}
