import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, idempotencyKey, take } from '../api/client.ts';
import type { Account, Grant } from '../api/session.ts';
import { useSession } from '../api/useSession.ts';
import { CodeBlock } from '../ui/CopyButton.tsx';
import { useFormats } from '../ui/format.ts';
import { Card, Failure, Loading, Notice } from '../ui/ui.tsx';
import { GrantFields, GrantTags } from './Grants.tsx';
import { sessions, tokens } from './queries.ts';

/** One's own account: rights, password, sessions, tokens for programs. */
export function Me() {
  const state = useSession();
  if (state.kind !== 'somebody') return null;
  const { account } = state;
  return (
    <div className="q-stack">
      <div className="q-stack-s">
        <h1>{account.display}</h1>
        <GrantTags grants={account.grants} />
      </div>
      <Tokens account={account} />
      <div className="q-grid">
        <Password name={account.name} />
        <Sessions name={account.name} />
      </div>
    </div>
  );
}

function Tokens({ account }: { readonly account: Account }) {
  const { t } = useTranslation('admin');
  const format = useFormats();
  const field = useId();
  const cache = useQueryClient();
  const { name } = account;
  const asked = useQuery(tokens(name));
  const [purpose, setPurpose] = useState('');
  const [days, setDays] = useState(30);
  const [grants, setGrants] = useState<Grant[]>(account.grants);
  const refresh = () => void cache.invalidateQueries({ queryKey: ['accounts', name, 'tokens'] });
  const make = useMutation({
    mutationFn: () =>
      take(
        api.POST('/api/v1/accounts/{name}/tokens', {
          params: { path: { name } },
          body: { name: purpose, grants, days },
        }),
      ),
    onSuccess: () => {
      setPurpose('');
      refresh();
    },
  });
  const end = useMutation({
    mutationFn: (token: string) =>
      take(
        api.DELETE('/api/v1/accounts/{name}/tokens/{token}', {
          params: { path: { name, token }, header: { 'Idempotency-Key': idempotencyKey() } },
        }),
      ),
    onSettled: refresh,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  return (
    <Card title={t('tokens.title')}>
      <p className="q-muted">{t('tokens.text')}</p>
      {asked.isPending && <Loading lines={2} />}
      {asked.isError && <Failure error={asked.error} />}
      {asked.data?.length === 0 && <p>{t('tokens.none')}</p>}
      <ul className="q-list">
        {asked.data?.map((token) => (
          <li key={token.id} className="q-row q-spread">
            <span>
              <strong>{token.name}</strong>{' '}
              <span className="q-muted q-small">
                {t('tokens.expires', { time: format.time(1000 * token.expires) })}
              </span>{' '}
              <GrantTags grants={token.grants} />
            </span>
            <button
              type="button"
              className="q-button"
              data-size="s"
              onClick={() => end.mutate(token.id)}
            >
              {t('tokens.end')}
            </button>
          </li>
        ))}
      </ul>
      {end.isError && <Failure error={end.error} />}
      {make.data !== undefined && (
        <Notice tone="good" title={t('tokens.made')} alert>
          <CodeBlock text={make.data.token} />
        </Notice>
      )}
      <form className="q-stack" onSubmit={submit}>
        <div className="q-filters">
          <div className="q-field">
            <label htmlFor={`${field}-name`}>{t('tokens.purpose')}</label>
            <input
              id={`${field}-name`}
              className="q-input"
              required
              maxLength={50}
              value={purpose}
              onChange={({ target }) => setPurpose(target.value)}
            />
          </div>
          <div className="q-field">
            <label htmlFor={`${field}-days`}>{t('tokens.days')}</label>
            <input
              id={`${field}-days`}
              type="number"
              className="q-input"
              min={1}
              max={366}
              required
              value={days}
              onChange={({ target }) => setDays(target.valueAsNumber || 1)}
            />
          </div>
        </div>
        <GrantFields grants={grants} onGrants={setGrants} />
        {make.isError && <Failure error={make.error} />}
        <div>
          <button type="submit" className="q-button" disabled={make.isPending}>
            {t('tokens.make')}
          </button>
        </div>
      </form>
    </Card>
  );
}

function Password({ name }: { readonly name: string }) {
  const { t } = useTranslation('admin');
  const field = useId();
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const change = useMutation({
    mutationFn: () =>
      take(
        api.PUT('/api/v1/accounts/{name}/password', {
          params: { path: { name } },
          body: { old: old === '' ? null : old, new: fresh },
        }),
      ),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <Card title={t('password.title')}>
      <form className="q-stack" onSubmit={submit}>
        <div className="q-field">
          <label htmlFor={`${field}-old`}>{t('password.old')}</label>
          <input
            id={`${field}-old`}
            type="password"
            className="q-input"
            autoComplete="current-password"
            value={old}
            onChange={({ target }) => setOld(target.value)}
          />
        </div>
        <div className="q-field">
          <label htmlFor={`${field}-new`}>{t('password.new')}</label>
          <input
            id={`${field}-new`}
            type="password"
            className="q-input"
            autoComplete="new-password"
            minLength={12}
            maxLength={64}
            required
            value={fresh}
            onChange={({ target }) => setFresh(target.value)}
          />
          <span className="q-muted q-small">{t('password.text')}</span>
        </div>
        {change.isError && <Failure error={change.error} />}
        {change.isSuccess && (
          <Notice tone="good" alert>
            {t('password.done')}
          </Notice>
        )}
        <div>
          <button type="submit" className="q-button" disabled={change.isPending}>
            {t('password.submit')}
          </button>
        </div>
      </form>
    </Card>
  );
}

function Sessions({ name }: { readonly name: string }) {
  const { t } = useTranslation('admin');
  const format = useFormats();
  const cache = useQueryClient();
  const asked = useQuery(sessions(name));
  const end = useMutation({
    mutationFn: (session: string) =>
      take(
        api.DELETE('/api/v1/accounts/{name}/sessions/{session}', {
          params: { path: { name, session }, header: { 'Idempotency-Key': idempotencyKey() } },
        }),
      ),
    onSettled: () => void cache.invalidateQueries({ queryKey: ['accounts', name, 'sessions'] }),
  });
  return (
    <Card title={t('sessions.title')}>
      {asked.isPending && <Loading lines={2} />}
      {asked.isError && <Failure error={asked.error} />}
      <ul className="q-list">
        {asked.data?.map(({ id, created, expires, node }) => (
          <li key={id} className="q-row q-spread">
            <span>
              {t('sessions.since', { time: format.time(1000 * created), node })}
              <br />
              <span className="q-muted q-small">
                {t('sessions.until', { time: format.time(1000 * expires) })}
              </span>
            </span>
            <button type="button" className="q-button" data-size="s" onClick={() => end.mutate(id)}>
              {t('sessions.end')}
            </button>
          </li>
        ))}
      </ul>
      {end.isError && <Failure error={end.error} />}
    </Card>
  );
}
