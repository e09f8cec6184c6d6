import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { api, type Schemas, take } from '../api/client.ts';
import { minutesToMs, useFormats } from '../ui/format.ts';
import { saveAs } from '../ui/save.ts';
import { Told } from '../ui/Told.tsx';
import { Card, Failure, Loading, Notice } from '../ui/ui.tsx';
import { limitsOf } from './limits.ts';
import { BLANK } from './results.ts';
import { type Election, useLoadedElection } from './useElection.ts';

/** Questions, people, keys, limits, and what was refused. */
export function RulesTab() {
  const { t } = useTranslation();
  const election = useLoadedElection();
  const { definition } = election;
  if (definition == null) return <Notice>{t('rules.noDraft')}</Notice>;
  return (
    <div className="q-stack">
      <Card title={t('rules.questions')}>
        {definition.contests.map((contest) => (
          <Question key={contest.title} {...contest} />
        ))}
      </Card>
      <div className="q-grid">
        <People definition={definition} />
        <Keys {...election} />
      </div>
      <Card title={t('limits.title')} id="limits">
        <p className="q-muted">{t('limits.fromManifest')}</p>
        <ul className="q-prose q-stack-s">
          {limitsOf(election).map(({ key, values }) => (
            <li key={key}>{t(`limit.${key}`, values ?? {})}</li>
          ))}
        </ul>
        <p>
          <Link to="/limits">{t('limits.general')}</Link>
        </p>
      </Card>
      <Refusals id={election.id} />
    </div>
  );
}

function Question(contest: Schemas['Contest']) {
  const { t } = useTranslation();
  const { title, kind, min, max, highest, options, candidates } = contest;
  const places = { min, max, highest, count: options.length };
  const key = { one: 'rules.one', score: 'rules.score', lists: 'rules.lists' }[kind as 'one'];
  const rule = t(key ?? 'rules.some', places);
  return (
    <div className="q-stack-s">
      <h3>{title}</h3>
      <p className="q-muted q-small">
        {rule} <Decision {...contest} />
      </p>
      <ul>
        {optionsOf(options, candidates).map(({ option, members }) => (
          <li key={option}>
            {option === BLANK ? t('results.blank') : option}
            {members.length > 0 && (
              <ul>
                {members.map((name) => (
                  <li key={name}>{name}</li>
                ))}
              </ul>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** The options as people see them: candidates below their lists, which stand before all of them. */
function optionsOf(options: readonly string[], candidates: readonly (readonly string[])[]) {
  const named = candidates.reduce((sum, list) => sum + list.length, 0);
  return options.flatMap((option, at) => {
    const isCandidate = at >= candidates.length && at < candidates.length + named;
    return isCandidate ? [] : [{ option, members: candidates[at] ?? [] }];
  });
}

/** What decides, where it is not simply the most votes. */
function Decision({ seats, quorum_percent, majority, tie }: Schemas['Contest']) {
  const { t } = useTranslation();
  const said = [t('rules.seats', { count: seats })];
  if (majority !== 'relative') said.push(t(`rules.majority.${majority}`));
  if (quorum_percent > 0) said.push(t('rules.quorum', { percent: quorum_percent }));
  said.push(t(`rules.tie.${tie}`));
  return <>{said.join(' ')}</>;
}

function People({ definition }: { readonly definition: Schemas['Definition'] }) {
  const { t } = useTranslation();
  const { time } = useFormats();
  const { trustees, threshold, revote, issuer, minimum_ballots } = definition;
  return (
    <Card title={t('rules.people')}>
      {definition.open_poll ? (
        <p>{t('rules.openPoll')}</p>
      ) : (
        <p>{t('rules.trustees', { threshold, count: trustees.length })}</p>
      )}
      <ul>
        {trustees.map((name) => (
          <li key={name}>{name}</li>
        ))}
      </ul>
      <dl className="q-facts">
        <dt>{t('rules.revote')}</dt>
        <dd>{t(revote === 'off' ? 'rules.revoteOff' : 'rules.revoteOn')}</dd>
        <dt>{t('rules.issuer')}</dt>
        <dd>{t(issuer === 'cluster' ? 'rules.issuerCluster' : 'rules.issuerSeparate')}</dd>
        <dt>{t('rules.minimum')}</dt>
        <dd>{minimum_ballots}</dd>
        {definition.extendable_until !== null && (
          <>
            <dt>{t('rules.extendable')}</dt>
            <dd>{time(minutesToMs(definition.extendable_until))}</dd>
          </>
        )}
        {definition.groups.length > 0 && (
          <>
            <dt>{t('rules.groups')}</dt>
            <dd>{definition.groups.join(', ')}</dd>
          </>
        )}
        {definition.roll_changes && (
          <>
            <dt>{t('rules.roll')}</dt>
            <dd>{t('rules.rollChanges')}</dd>
          </>
        )}
        {definition.paper && (
          <>
            <dt>{t('rules.paper')}</dt>
            <dd>{t('rules.paperPossible')}</dd>
          </>
        )}
      </dl>
    </Card>
  );
}

export function Keys({ id, definition, fingerprint, authorities, quorum }: Election) {
  const { t } = useTranslation();
  return (
    <Card title={t('rules.keys')}>
      <dl className="q-facts">
        <dt>{t('rules.id')}</dt>
        <dd className="q-mono q-small">{id}</dd>
        {fingerprint != null && (
          <>
            <dt>{t('rules.fingerprint')}</dt>
            <dd className="q-mono q-small">{fingerprint}</dd>
          </>
        )}
        {definition?.booth != null && (
          <>
            <dt>{t('rules.booth')}</dt>
            <dd>
              {t('rules.boothPinned')} <span className="q-mono q-small">{definition.booth}</span>
            </dd>
          </>
        )}
      </dl>
      {fingerprint == null && <Notice>{t('rules.notSealed')}</Notice>}
      {authorities !== undefined && authorities.length > 0 && (
        <>
          <p>{t('rules.authorities', { count: authorities.length, quorum: quorum ?? 0 })}</p>
          <ul className="q-mono q-small">
            {authorities.map(({ index, vkey }) => (
              <li key={index}>{vkey}</li>
            ))}
          </ul>
        </>
      )}
    </Card>
  );
}

function Refusals({ id }: { readonly id: string }) {
  const { t } = useTranslation();
  const { number } = useFormats();
  const asked = useQuery({
    queryKey: ['elections', id, 'refusals'],
    queryFn: async () =>
      (await take(api.GET('/api/v1/elections/{id}/refusals', { params: { path: { id } } })))
        .refusals,
  });
  return (
    <Card title={t('refusals.title')} id="refusals">
      <p className="q-muted">{t('refusals.text')}</p>
      {asked.isPending && <Loading lines={2} />}
      {asked.isError && <Failure error={asked.error} retry={() => void asked.refetch()} />}
      {asked.data?.length === 0 && <p>{t('refusals.none')}</p>}
      {asked.data !== undefined && asked.data.length > 0 && (
        <table className="q-table q-cards">
          <thead>
            <tr>
              <th scope="col">{t('ledger.column.entry')}</th>
              <th scope="col">{t('refusals.reason')}</th>
              <th scope="col">{t('refusals.signed')}</th>
            </tr>
          </thead>
          <tbody>
            {asked.data.map(({ entry, code, sentence, signed }) => (
              <tr key={entry}>
                <td data-label={t('ledger.column.entry')}>
                  <Link to="/e/$id/ledger" params={{ id }} search={{ entry }}>
                    #{number(entry)}
                  </Link>
                </td>
                <td data-label={t('refusals.reason')}>
                  <Told family="refusal" code={code} text={sentence} /> <code>{code}</code>
                </td>
                <td data-label={t('refusals.signed')}>
                  <button
                    type="button"
                    className="q-button"
                    data-size="s"
                    onClick={() =>
                      saveAs(`refusal-${entry}.json`, JSON.stringify(signed), 'application/json')
                    }
                  >
                    {t('refusals.count', { count: signed.length })}
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Card>
  );
}
