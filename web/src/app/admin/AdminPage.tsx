import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { RequireAccount } from '../account/RequireAccount.tsx';
import { hasRole } from '../api/session.ts';
import { useSession } from '../api/useSession.ts';
import { Loading } from '../ui/ui.tsx';

/** Everything that needs an account: one row of places, and the place. */
export function AdminPage() {
  const { t } = useTranslation('admin');
  return (
    <RequireAccount title={t('title')}>
      <div className="q-stack">
        <Places />
        <Suspense fallback={<Loading />}>
          <Outlet />
        </Suspense>
      </div>
    </RequireAccount>
  );
}

function Places() {
  const { t } = useTranslation('admin');
  const state = useSession();
  const path = useRouterState({ select: (router) => router.location.pathname });
  const grants = state.kind === 'somebody' ? state.account.grants : [];
  const isAdmin = hasRole(grants, 'administrator');
  const isOfficer = isAdmin || grants.some(({ role }) => role === 'election-officer');
  const places = [
    { to: '/admin', name: 'elections', isShown: true },
    { to: '/admin/approvals', name: 'approvals', isShown: isOfficer },
    { to: '/admin/accounts', name: 'accounts', isShown: isAdmin },
    { to: '/admin/audit', name: 'audit', isShown: isAdmin },
    { to: '/admin/me', name: 'me', isShown: true },
  ] as const;
  const isHere = (to: string) =>
    to === '/admin' ? path === to || /^\/admin\/(e|new)/.test(path) : path.startsWith(to);
  return (
    <nav className="q-tabs" aria-label={t('title')}>
      {places
        .filter(({ isShown }) => isShown)
        .map(({ to, name }) => (
          <Link key={to} to={to} aria-current={isHere(to) ? 'page' : undefined}>
            {t(`place.${name}`)}
          </Link>
        ))}
    </nav>
  );
}
