import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { api, take } from '../api/client.ts';
import { useFeed } from '../feed/useFeed.ts';
import { useFormats } from '../ui/format.ts';
import { csvOf, saveAs } from '../ui/save.ts';
import { Card, Empty, Failure, Loading, Tag } from '../ui/ui.tsx';

import { type AuditSearch, readAuditSearch } from './auditSearch.ts';

const route = getRouteApi('/admin/audit');

/** What people with accounts have done, newest last; more comes by itself. */
export function Audit() {
  const { t } = useTranslation('admin');
  const format = useFormats();
  const search = route.useSearch();
  const navigate = useNavigate();
  const cache = useQueryClient();
  const key = ['desk', search.account, search.election];
  const asked = useInfiniteQuery({
    queryKey: key,
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam: cursor }) => {
      const query = { limit: 200, ...search, ...(cursor !== undefined && { cursor }) };
      return take(api.GET('/api/v1/desk', { params: { query: query as object } }));
    },
    getNextPageParam: (last) => last.next_cursor,
  });
  useFeed('audit', () => void cache.invalidateQueries({ queryKey: ['desk'] }));
  const lines = asked.data?.pages.flatMap(({ items }) => items) ?? [];
  const change = (with_: AuditSearch) =>
    void navigate({
      to: '/admin/audit',
      search: readAuditSearch({ ...search, ...with_ }),
      replace: true,
    });
  const save = () => {
    const head = ['time', 'account', 'act', 'election', 'object', 'status', 'node', 'request'];
    const rows = lines.map((line) => [
      new Date(line.time_ms).toISOString(),
      line.account,
      line.act,
      line.election ?? '',
      line.object ?? '',
      line.status,
      line.node,
      line.request_id,
    ]);
    saveAs('audit.csv', csvOf([head, ...rows]), 'text/csv');
  };
  return (
    <div className="q-stack">
      <div className="q-stack-s">
        <h1>{t('audit.title')}</h1>
        <p className="q-lead">{t('audit.lead')}</p>
      </div>
      <Card>
        <div className="q-filters">
          {(['account', 'election'] as const).map((name) => (
            <div className="q-field" key={name}>
              <label htmlFor={`audit-${name}`}>{t(`audit.${name}`)}</label>
              <input
                id={`audit-${name}`}
                className="q-input"
                value={search[name] ?? ''}
                onChange={({ target }) => change({ [name]: target.value })}
              />
            </div>
          ))}
          <button type="button" className="q-button" onClick={save} disabled={lines.length === 0}>
            CSV
          </button>
        </div>
        {asked.isPending && <Loading />}
        {asked.isError && <Failure error={asked.error} retry={() => void asked.refetch()} />}
        {asked.isSuccess && lines.length === 0 && <Empty icon="search" title={t('audit.none')} />}
        {lines.length > 0 && (
          <table className="q-table q-cards">
            <thead>
              <tr>
                {(['time', 'account', 'act', 'object', 'status'] as const).map((name) => (
                  <th scope="col" key={name}>
                    {t(`audit.${name}`)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {lines.map(({ number, time_ms, account, act, election, object, status, node }) => (
                <tr key={number}>
                  <td data-label={t('audit.time')}>
                    {format.stamp(time_ms)}{' '}
                    <span className="q-muted q-small">{t('audit.node', { node })}</span>
                  </td>
                  <td data-label={t('audit.account')}>{account}</td>
                  <td data-label={t('audit.act')} className="q-mono q-small">
                    {act}
                  </td>
                  <td data-label={t('audit.object')} className="q-small">
                    {object ?? election ?? '–'}
                  </td>
                  <td data-label={t('audit.status')}>
                    <Tag tone={status < 300 ? 'good' : 'warn'}>{status}</Tag>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        {asked.hasNextPage && (
          <div>
            <button
              type="button"
              className="q-button"
              disabled={asked.isFetchingNextPage}
              onClick={() => void asked.fetchNextPage()}
            >
              {t('audit.more')}
            </button>
          </div>
        )}
      </Card>
    </div>
  );
}
