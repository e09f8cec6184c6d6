import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { elections } from '../api/queries.ts';
import { hasRole } from '../api/session.ts';
import { useSession } from '../api/useSession.ts';
import { Icon } from '../ui/icons.tsx';
import { PhaseTag } from '../ui/PhaseTag.tsx';
import { Empty, Failure, Loading, Notice } from '../ui/ui.tsx';

/** The elections that one may run. */
export function AdminHome() {
  const { t } = useTranslation('admin');
  const list = useQuery(elections());
  const state = useSession();
  const grants = state.kind === 'somebody' ? state.account.grants : [];
  const isAdmin = hasRole(grants, 'administrator');
  const mine = list.data?.filter(
    ({ id }) => isAdmin || grants.some(({ election }) => election === undefined || election === id),
  );
  return (
    <div className="q-stack">
      <div className="q-row q-spread">
        <h1>{t('home.title')}</h1>
        {isAdmin && (
          <Link to="/admin/new" className="q-button" data-kind="primary">
            <Icon name="plus" /> {t('home.new')}
          </Link>
        )}
      </div>
      {list.isPending && <Loading />}
      {list.isError && <Failure error={list.error} retry={() => void list.refetch()} />}
      {grants.length === 0 && <Notice tone="warn">{t('home.noRights')}</Notice>}
      {mine?.length === 0 && (
        <Empty icon="ballot" title={t('home.empty')}>
          <p>{t(isAdmin ? 'home.emptyText' : 'home.emptyOthers')}</p>
        </Empty>
      )}
      {mine !== undefined && mine.length > 0 && (
        <ul className="q-list">
          {mine.map(({ id, title, phase }) => (
            <li key={id}>
              <Link to="/admin/e/$id" params={{ id }} className="q-card q-link-card">
                <span className="q-stack-s">
                  <h2>{title ?? id}</h2>
                  <span className="q-muted q-small">{t(`home.next.${phase}`)}</span>
                </span>
                <PhaseTag phase={phase} />
              </Link>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
