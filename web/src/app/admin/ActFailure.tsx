import { useTranslation } from 'react-i18next';
import { ApiError } from '../api/problem.ts';
import { Failure, Notice } from '../ui/ui.tsx';
import { SealError } from './seal.ts';

/** Refusals of an order after which it is clear what to do; the texts are below `orders.advice`. */
const ADVISED = new Set(['has-voted', 'votes-on-paper', 'withdrawn', 'not-on-roll']);

/** Why something signed here was not done: this page found it out, or a node has refused it. */
export function ActFailure({ error }: { readonly error: unknown }) {
  const { t } = useTranslation('admin');
  if (error instanceof SealError) {
    return (
      <Notice tone="bad" alert>
        {t(`sealProblem.${error.code}`)}
      </Notice>
    );
  }
  const isAdvised = error instanceof ApiError && ADVISED.has(error.code);
  return <Failure error={error}>{isAdvised && <p>{t(`orders.advice.${error.code}`)}</p>}</Failure>;
}
