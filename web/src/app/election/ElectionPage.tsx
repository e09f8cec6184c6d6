import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { election } from '../api/queries.ts';
import { PhaseTag } from '../ui/PhaseTag.tsx';
import { Failure, Loading } from '../ui/ui.tsx';

const route = getRouteApi('/e/$id');

/** One election. */
export function ElectionPage() {
  const { t } = useTranslation();
  const { id } = route.useParams();
  const asked = useQuery(election(id));
  if (asked.data === undefined) {
    return asked.isError ? (
      <Failure error={asked.error} retry={() => void asked.refetch()} />
    ) : (
      <Loading />
    );
  }
  return (
    <div className="q-stack">
      <div className="q-row">
        <h1>{asked.data.title ?? t('list.untitled')}</h1>
        <PhaseTag phase={asked.data.phase} />
      </div>
    </div>
  );
}
