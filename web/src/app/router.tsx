/** Which path shows which page. Pages that not everybody needs are loaded when they are shown. */

import {
  createRootRoute,
  createRoute,
  createRouter,
  Link,
  lazyRouteComponent,
} from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { LoginPage } from './account/LoginPage.tsx';
import { readAuditSearch } from './admin/auditSearch.ts';
import { readLedgerSearch } from './election/ledgerSearch.ts';
import { ListPage } from './elections/ListPage.tsx';
import { Shell } from './shell/Shell.tsx';
import { Icon } from './ui/icons.tsx';
import { Failure, Loading } from './ui/ui.tsx';

function NotFound() {
  const { t } = useTranslation();
  return (
    <div className="q-empty">
      <Icon name="search" size={36} />
      <h1>{t('common.notFound')}</h1>
      <p>{t('common.notFoundText')}</p>
      <Link to="/" className="q-button">
        {t('common.toElections')}
      </Link>
    </div>
  );
}

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const list = createRoute({ getParentRoute: () => root, path: '/', component: ListPage });

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: (search): { to?: string } =>
    typeof search.to === 'string' ? { to: search.to } : {},
  component: function Login() {
    return <LoginPage to={login.useSearch().to} />;
  },
});

const limits = createRoute({
  getParentRoute: () => root,
  path: '/limits',
  component: lazyRouteComponent(() => import('./limits/LimitsPage.tsx'), 'LimitsPage'),
});

const election = createRoute({
  getParentRoute: () => root,
  path: '/e/$id',
  component: lazyRouteComponent(() => import('./election/ElectionPage.tsx'), 'ElectionPage'),
});

const overview = createRoute({
  getParentRoute: () => election,
  path: '/',
  component: lazyRouteComponent(() => import('./election/Overview.tsx'), 'Overview'),
});

const results = createRoute({
  getParentRoute: () => election,
  path: 'results',
  component: lazyRouteComponent(() => import('./election/ResultsTab.tsx'), 'ResultsTab'),
});

const ledger = createRoute({
  getParentRoute: () => election,
  path: 'ledger',
  validateSearch: readLedgerSearch,
  component: lazyRouteComponent(() => import('./election/LedgerTab.tsx'), 'LedgerTab'),
});

const verify = createRoute({
  getParentRoute: () => election,
  path: 'verify',
  component: lazyRouteComponent(() => import('./election/VerifyTab.tsx'), 'VerifyTab'),
});

const rules = createRoute({
  getParentRoute: () => election,
  path: 'rules',
  component: lazyRouteComponent(() => import('./election/RulesTab.tsx'), 'RulesTab'),
});

const admin = createRoute({
  getParentRoute: () => root,
  path: '/admin',
  component: lazyRouteComponent(() => import('./admin/AdminPage.tsx'), 'AdminPage'),
});

const adminHome = createRoute({
  getParentRoute: () => admin,
  path: '/',
  component: lazyRouteComponent(() => import('./admin/AdminHome.tsx'), 'AdminHome'),
});

const adminNew = createRoute({
  getParentRoute: () => admin,
  path: 'new',
  validateSearch: ({ like }: Record<string, unknown>): { like?: string } =>
    typeof like === 'string' && /^[0-9a-f]{32}$/.test(like) ? { like } : {},
  component: lazyRouteComponent(() => import('./admin/CreatePage.tsx'), 'CreatePage'),
});

const adminElection = createRoute({
  getParentRoute: () => admin,
  path: 'e/$id',
  component: lazyRouteComponent(() => import('./admin/ElectionAdmin.tsx'), 'ElectionAdmin'),
});

const adminApprovals = createRoute({
  getParentRoute: () => admin,
  path: 'approvals',
  component: lazyRouteComponent(() => import('./admin/Approvals.tsx'), 'Approvals'),
});

const adminAccounts = createRoute({
  getParentRoute: () => admin,
  path: 'accounts',
  component: lazyRouteComponent(() => import('./admin/Accounts.tsx'), 'Accounts'),
});

const adminAudit = createRoute({
  getParentRoute: () => admin,
  path: 'audit',
  validateSearch: readAuditSearch,
  component: lazyRouteComponent(() => import('./admin/Audit.tsx'), 'Audit'),
});

const adminMe = createRoute({
  getParentRoute: () => admin,
  path: 'me',
  component: lazyRouteComponent(() => import('./admin/Me.tsx'), 'Me'),
});

/** The dashboard keeps its filters in the query; what they are is its own affair. */
const cluster = createRoute({
  getParentRoute: () => root,
  path: '/cluster',
  validateSearch: (search): Record<string, unknown> => search,
  component: lazyRouteComponent(() => import('./cluster/index.tsx'), 'ClusterPage'),
});

const routes = root.addChildren([
  list,
  login,
  limits,
  election.addChildren([overview, results, ledger, verify, rules]),
  admin.addChildren([
    adminHome,
    adminNew,
    adminElection,
    adminApprovals,
    adminAccounts,
    adminAudit,
    adminMe,
  ]),
  cluster,
]);

export const router = createRouter({
  routeTree: routes,
  defaultPreload: 'intent',
  scrollRestoration: true,
  defaultPendingComponent: () => <Loading />,
  defaultErrorComponent: ({ error, reset }) => <Failure error={error} retry={reset} />,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
