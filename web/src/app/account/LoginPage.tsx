import { useMutation, useQuery } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { type FormEvent, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { session } from '../api/client.ts';
import { waysToLogin } from '../api/queries.ts';
import { useSession } from '../api/useSession.ts';
import { Card, Failure, Notice } from '../ui/ui.tsx';

/** Only paths of this application, never another site. */
export function safePath(path: string | undefined): string {
  return path !== undefined && /^\/(?![/\\])/.test(path) ? path : '/admin';
}

/** Signing in, with what the node offers; goes back to where one came from. */
export function LoginPage({ to }: { readonly to?: string | undefined }) {
  const { t } = useTranslation();
  const state = useSession();
  const router = useRouter();
  const somebody = state.kind === 'somebody';
  useEffect(() => {
    if (somebody) router.history.replace(safePath(to));
  }, [somebody, router, to]);
  return (
    <div className="q-narrow q-stack">
      <div className="q-stack-s">
        <h1>{t('login.title')}</h1>
        <p className="q-lead">{t('login.lead')}</p>
      </div>
      {state.kind === 'nobody' && state.ended && <Notice tone="warn">{t('login.ended')}</Notice>}
      <Card>
        <LoginForm to={to} />
      </Card>
    </div>
  );
}

export function LoginForm({ to }: { readonly to?: string | undefined }) {
  const { t } = useTranslation();
  const ways = useQuery(waysToLogin());
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const login = useMutation({ mutationFn: () => session.login(name.trim(), password) });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    login.mutate();
  };
  const founding = ways.data?.waits_for_administrator === true;
  return (
    <>
      {founding && (
        <Notice tone="warn" title={t('login.founding')}>
          <p>{t('login.foundingText', { command: 'quorate user add' })}</p>
        </Notice>
      )}
      <form className="q-stack" onSubmit={submit}>
        <div className="q-field">
          <label htmlFor="login-name">{t('login.name')}</label>
          <input
            id="login-name"
            className="q-input"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            required
            value={name}
            onChange={({ target }) => setName(target.value)}
          />
        </div>
        <div className="q-field">
          <label htmlFor="login-password">{t('login.password')}</label>
          <input
            id="login-password"
            className="q-input"
            type="password"
            autoComplete="current-password"
            required
            value={password}
            onChange={({ target }) => setPassword(target.value)}
          />
        </div>
        {login.isError && <Failure error={login.error} />}
        <button type="submit" className="q-button" data-kind="primary" disabled={login.isPending}>
          {t('login.submit')}
        </button>
      </form>
      {typeof ways.data?.oidc === 'string' && <Provider name={ways.data.oidc} to={to} />}
    </>
  );
}

/** Where to go after coming back from the identity provider; read by the first page. */
export const RETURN_KEY = 'quorate.return';

function Provider({ name, to }: { readonly name: string; readonly to?: string | undefined }) {
  const { t } = useTranslation();
  return (
    <>
      <p className="q-or">{t('login.or')}</p>
      <a
        className="q-button"
        href="/api/v1/login/oidc"
        onClick={() => {
          session.expectLogin();
          sessionStorage.setItem(RETURN_KEY, safePath(to));
        }}
      >
        {t('login.oidc', { name })}
      </a>
    </>
  );
}
