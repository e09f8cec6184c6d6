import { useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { Suspense, useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { session } from '../api/client.ts';
import { useSession } from '../api/useSession.ts';
import { chooseLanguage, isLanguage, LANGUAGES } from '../i18n/index.ts';
import { Icon } from '../ui/icons.tsx';
import { Loading } from '../ui/ui.tsx';
import { FeedStatus } from './FeedStatus.tsx';

/** Header, page, footer. */
export function Shell() {
  const { t } = useTranslation();
  return (
    <>
      <a className="q-skip" href="#main">
        {t('shell.skip')}
      </a>
      <Header />
      <Page />
      <footer className="q-footer">
        <div>
          <span>{t('shell.footer')}</span>
          <span className="q-row">
            <Link to="/limits">{t('shell.limits')}</Link>
            <a href="/api/v1">{t('shell.api')}</a>
          </span>
        </div>
      </footer>
    </>
  );
}

/** The page itself; takes the focus when another one is shown, so that it is read out. */
function Page() {
  const path = useRouterState({ select: (state) => state.resolvedLocation?.pathname });
  const main = useRef<HTMLElement>(null);
  const before = useRef<string>(undefined);
  useEffect(() => {
    const place = path?.split('/').slice(0, 3).join('/');
    if (before.current !== undefined && before.current !== place) main.current?.focus();
    before.current = place;
  }, [path]);
  return (
    <main className="q-main" id="main" ref={main} tabIndex={-1}>
      <Suspense fallback={<Loading />}>
        <Outlet />
      </Suspense>
    </main>
  );
}

function Header() {
  const { t } = useTranslation();
  return (
    <header className="q-header">
      <div className="q-header-row">
        <Link to="/" className="q-brand" aria-label={t('shell.home')}>
          <img src="/icon.svg" alt="" />
          <span className="q-brand-name">Quorate</span>
        </Link>
        <nav className="q-nav" aria-label={t('shell.main')}>
          <NavLinks />
        </nav>
        <div className="q-header-end">
          <FeedStatus />
          <LanguageChoice />
          <SchemeSwitch />
          <AccountLink />
        </div>
      </div>
    </header>
  );
}

function NavLinks() {
  const { t } = useTranslation();
  const path = useRouterState({ select: (state) => state.location.pathname });
  const current = (is: boolean) => (is ? 'page' : undefined);
  return (
    <>
      <Link
        to="/"
        activeOptions={{ exact: true }}
        aria-current={current(path === '/' || path.startsWith('/e/'))}
      >
        {t('shell.elections')}
      </Link>
      <Link
        to="/cluster"
        activeOptions={{ exact: true }}
        aria-current={current(path.startsWith('/cluster'))}
      >
        {t('shell.cluster')}
      </Link>
      <Link
        to="/admin"
        activeOptions={{ exact: true }}
        aria-current={current(path.startsWith('/admin'))}
      >
        {t('shell.admin')}
      </Link>
    </>
  );
}

function LanguageChoice() {
  const { t, i18n } = useTranslation();
  return (
    <select
      className="q-select"
      aria-label={t('shell.language')}
      value={i18n.language}
      onChange={({ target }) => {
        if (isLanguage(target.value)) void chooseLanguage(target.value);
      }}
    >
      {Object.entries(LANGUAGES).map(([code, name]) => (
        <option key={code} value={code} lang={code}>
          {name}
        </option>
      ))}
    </select>
  );
}

function SchemeSwitch() {
  const { t } = useTranslation();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');
  const other = scheme === 'dark' ? 'light' : 'dark';
  return (
    <button
      type="button"
      className="q-icon-button"
      aria-label={t(`shell.${other}`)}
      title={t(`shell.${other}`)}
      onClick={() => setColorScheme(other)}
    >
      <Icon name={scheme === 'dark' ? 'sun' : 'moon'} />
    </button>
  );
}

function AccountLink() {
  const { t } = useTranslation();
  const state = useSession();
  if (state.kind !== 'somebody') {
    return (
      <Link to="/login" className="q-button" data-size="s">
        {t('shell.login')}
      </Link>
    );
  }
  return (
    <>
      <span className="q-row q-small q-account-name">
        <Icon name="user" size={18} />
        {state.account.display}
      </span>
      <button
        type="button"
        className="q-button"
        data-size="s"
        onClick={() => void session.logout()}
      >
        {t('shell.logout')}
      </button>
    </>
  );
}
