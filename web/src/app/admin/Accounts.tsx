import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, idempotencyKey, type Schemas, take } from '../api/client.ts';
import type { Grant } from '../api/session.ts';
import { Card, Failure, Loading, Notice, Tag } from '../ui/ui.tsx';
import { GrantFields, GrantTags } from './Grants.tsx';
import { accounts } from './queries.ts';

type Account = Schemas['Account'];

/** People and what they may do. */
export function Accounts() {
  const { t } = useTranslation('admin');
  const asked = useQuery(accounts());
  return (
    <div className="q-stack">
      <div className="q-stack-s">
        <h1>{t('accounts.title')}</h1>
        <p className="q-lead">{t('accounts.lead')}</p>
      </div>
      {asked.isPending && <Loading />}
      {asked.isError && <Failure error={asked.error} retry={() => void asked.refetch()} />}
      {asked.data !== undefined && (
        <ul className="q-list">
          {asked.data.map((account) => (
            <li key={account.name} className="q-card q-stack-s">
              <Line account={account} />
            </li>
          ))}
        </ul>
      )}
      <Card title={t('accounts.new')}>
        <NewAccount />
      </Card>
    </div>
  );
}

function Line({ account }: { readonly account: Account }) {
  const { t } = useTranslation('admin');
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <div className="q-row q-spread">
        <div>
          <h2>{account.display}</h2>
          <span className="q-muted q-small">{account.name}</span>
        </div>
        <div className="q-row">
          {!account.enabled && <Tag tone="bad">{t('accounts.locked')}</Tag>}
          <button
            type="button"
            className="q-button"
            data-size="s"
            aria-expanded={isOpen}
            onClick={() => setOpen(!isOpen)}
          >
            {t('accounts.edit')}
          </button>
        </div>
      </div>
      <GrantTags grants={account.grants} />
      {isOpen && <Edit account={account} />}
    </>
  );
}

function Edit({ account }: { readonly account: Account }) {
  const { t } = useTranslation('admin');
  const field = useId();
  const cache = useQueryClient();
  const [display, setDisplay] = useState(account.display);
  const [grants, setGrants] = useState<Grant[]>(account.grants);
  const [isEnabled, setEnabled] = useState(account.enabled);
  const [isSure, setSure] = useState(false);
  const { name } = account;
  const refresh = () => void cache.invalidateQueries({ queryKey: ['accounts'] });
  const header = () => ({ 'Idempotency-Key': idempotencyKey() });
  const save = useMutation({
    mutationFn: async () => {
      const path = { name };
      // Not over somebody else's change: the version that was looked at must still stand.
      const shown = await api.GET('/api/v1/accounts/{name}', { params: { path } });
      const version = shown.response.headers.get('etag');
      const isSame = JSON.stringify(shown.data) === JSON.stringify(account);
      const match =
        isSame && version !== null ? { 'If-Match': version } : { 'If-Match': '"changed"' };
      const body = { display, grants, enabled: isEnabled, identity: account.identity };
      const params = { path, header: { ...header(), ...match } };
      return await take(api.PUT('/api/v1/accounts/{name}', { params, body }));
    },
    onSettled: refresh,
  });
  const remove = useMutation({
    mutationFn: () =>
      take(api.DELETE('/api/v1/accounts/{name}', { params: { path: { name }, header: header() } })),
    onSettled: refresh,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form className="q-stack" onSubmit={submit}>
      <div className="q-field">
        <label htmlFor={field}>{t('accounts.display')}</label>
        <input
          id={field}
          className="q-input"
          required
          maxLength={50}
          value={display}
          onChange={({ target }) => setDisplay(target.value)}
        />
      </div>
      <GrantFields grants={grants} onGrants={setGrants} />
      <label className="q-check">
        <input
          type="checkbox"
          checked={isEnabled}
          onChange={({ target }) => setEnabled(target.checked)}
        />
        {t('accounts.enabled')}
      </label>
      {save.isError && <Failure error={save.error} />}
      {remove.isError && <Failure error={remove.error} />}
      {save.isSuccess && (
        <Notice tone="good" alert>
          {t('accounts.saved')}
        </Notice>
      )}
      <div className="q-row">
        <button type="submit" className="q-button" data-kind="primary" disabled={save.isPending}>
          {t('accounts.save')}
        </button>
        <label className="q-check">
          <input
            type="checkbox"
            checked={isSure}
            onChange={({ target }) => setSure(target.checked)}
          />
          {t('accounts.sure', { name })}
        </label>
        <button
          type="button"
          className="q-button"
          disabled={!isSure || remove.isPending}
          onClick={() => remove.mutate()}
        >
          {t('accounts.remove')}
        </button>
      </div>
    </form>
  );
}

function NewAccount() {
  const { t } = useTranslation('admin');
  const field = useId();
  const cache = useQueryClient();
  const [name, setName] = useState('');
  const [display, setDisplay] = useState('');
  const [password, setPassword] = useState('');
  const [grants, setGrants] = useState<Grant[]>([{ role: 'auditor' }]);
  const make = useMutation({
    mutationFn: () =>
      take(
        api.POST('/api/v1/accounts', {
          params: { header: { 'Idempotency-Key': idempotencyKey() } },
          body: { name, display, grants, password: password === '' ? null : password },
        }),
      ),
    onSuccess: () => {
      setName('');
      setDisplay('');
      setPassword('');
      void cache.invalidateQueries({ queryKey: ['accounts'] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  return (
    <form className="q-stack" onSubmit={submit}>
      <div className="q-grid">
        <div className="q-field">
          <label htmlFor={`${field}-name`}>{t('accounts.name')}</label>
          <input
            id={`${field}-name`}
            className="q-input"
            required
            pattern="[a-z0-9][a-z0-9._@\-]{1,63}"
            autoCapitalize="none"
            autoComplete="off"
            value={name}
            onChange={({ target }) => setName(target.value)}
          />
          <span className="q-muted q-small">{t('accounts.nameText')}</span>
        </div>
        <div className="q-field">
          <label htmlFor={`${field}-display`}>{t('accounts.display')}</label>
          <input
            id={`${field}-display`}
            className="q-input"
            required
            maxLength={50}
            autoComplete="off"
            value={display}
            onChange={({ target }) => setDisplay(target.value)}
          />
        </div>
        <div className="q-field">
          <label htmlFor={`${field}-password`}>{t('accounts.password')}</label>
          <input
            id={`${field}-password`}
            className="q-input"
            type="password"
            minLength={12}
            maxLength={64}
            autoComplete="new-password"
            value={password}
            onChange={({ target }) => setPassword(target.value)}
          />
          <span className="q-muted q-small">{t('accounts.passwordText')}</span>
        </div>
      </div>
      <GrantFields grants={grants} onGrants={setGrants} />
      {make.isError && <Failure error={make.error} />}
      {make.isSuccess && (
        <Notice tone="good" alert>
          {t('accounts.made')}
        </Notice>
      )}
      <div>
        <button type="submit" className="q-button" data-kind="primary" disabled={make.isPending}>
          {t('accounts.make')}
        </button>
      </div>
    </form>
  );
}
