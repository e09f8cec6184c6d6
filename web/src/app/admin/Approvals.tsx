import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { api, idempotencyKey, take } from '../api/client.ts';
import { useSession } from '../api/useSession.ts';
import { useFormats } from '../ui/format.ts';
import { Card, Empty, Failure, Loading, Notice } from '../ui/ui.tsx';
import { approvals } from './queries.ts';

/** Acts that wait for a second person. */
export function Approvals() {
  const { t } = useTranslation('admin');
  const { time } = useFormats();
  const asked = useQuery(approvals());
  const state = useSession();
  const me = state.kind === 'somebody' ? state.account.name : '';
  const cache = useQueryClient();
  const decide = useMutation({
    mutationFn: ({ approval, approve }: { approval: string; approve: boolean }) =>
      take(
        api.POST('/api/v1/approvals/{approval}', {
          params: { path: { approval }, header: { 'Idempotency-Key': idempotencyKey() } },
          body: { approve },
        }),
      ),
    onSettled: () => void cache.invalidateQueries({ queryKey: ['approvals'] }),
  });
  return (
    <div className="q-stack">
      <div className="q-stack-s">
        <h1>{t('approvals.title')}</h1>
        <p className="q-lead">{t('approvals.lead')}</p>
      </div>
      {asked.isPending && <Loading />}
      {asked.isError && <Failure error={asked.error} retry={() => void asked.refetch()} />}
      {decide.isError && <Failure error={decide.error} />}
      {asked.data?.length === 0 && <Empty icon="check" title={t('approvals.none')} />}
      {asked.data?.map(({ approval, act, election, by, expires }) => (
        <Card key={approval} title={t(`approvals.act.${act}`)}>
          <p>
            {t('approvals.by', { by, time: time(1000 * expires) })}{' '}
            <Link to="/admin/e/$id" params={{ id: election }}>
              {t('approvals.election')}
            </Link>
          </p>
          {by === me && <Notice>{t('approvals.own')}</Notice>}
          <div className="q-row">
            {by !== me && (
              <button
                type="button"
                className="q-button"
                data-kind="primary"
                disabled={decide.isPending}
                onClick={() => decide.mutate({ approval, approve: true })}
              >
                {t('approvals.agree')}
              </button>
            )}
            <button
              type="button"
              className="q-button"
              disabled={decide.isPending}
              onClick={() => decide.mutate({ approval, approve: false })}
            >
              {t(by === me ? 'approvals.withdraw' : 'approvals.reject')}
            </button>
          </div>
        </Card>
      ))}
    </div>
  );
}
