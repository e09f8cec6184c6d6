import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Order } from '../../election/order.ts';
import type { Election } from '../election/useElection.ts';
import { Notice } from '../ui/ui.tsx';
import { ActFailure } from './ActFailure.tsx';
import { useAdminKey } from './adminKey.ts';
import { CheckField } from './fields.tsx';
import { giveOrder } from './giveOrder.ts';

interface Props {
  readonly election: Election;
  /** The texts are below `orders`. */
  readonly act: 'pause' | 'resume' | 'extend' | 'add' | 'withdraw' | 'replace' | 'paper' | 'reset';
  /** Nothing while it cannot be given. */
  readonly order: Order | undefined;
  readonly onDone?: () => void;
  /** What it does, and what it needs. */
  readonly children: ReactNode;
}

/** One order: what it does, what it needs, a box to be sure, and the button that signs it. */
export function OrderForm({ election, act, order, onDone, children }: Props) {
  const { t } = useTranslation('admin');
  const key = useAdminKey();
  const cache = useQueryClient();
  const [isSure, setSure] = useState(false);
  const give = useMutation({
    mutationFn: async (next: Order) =>
      key === undefined ? undefined : await giveOrder(election, key, next),
    onSuccess: () => {
      setSure(false);
      onDone?.();
    },
    onSettled: () => void cache.invalidateQueries({ queryKey: ['elections', election.id] }),
  });
  const waits = give.data !== undefined && 'approval' in give.data;
  // Whoever ticks the box again is about to give the next one.
  const isDone = give.isSuccess && !isSure;
  return (
    <fieldset className="q-fieldset q-stack">
      <legend>{t(`orders.${act}.title`)}</legend>
      {children}
      <CheckField label={t(`orders.${act}.sure`)} value={isSure} onValue={setSure} />
      <div>
        <button
          type="button"
          className="q-button"
          disabled={key === undefined || order === undefined || !isSure || give.isPending}
          onClick={() => order !== undefined && give.mutate(order)}
        >
          {t(`orders.${act}.act`)}
        </button>
      </div>
      {key === undefined && isSure && <p className="q-muted q-small">{t('orders.needsKey')}</p>}
      {give.isError && <ActFailure error={give.error} />}
      {isDone && !waits && (
        <Notice tone="good" alert>
          {t('orders.done')}
        </Notice>
      )}
      {isDone && waits && (
        <Notice tone="info" title={t('next.waits')} alert>
          {t('next.waitsText')}
        </Notice>
      )}
    </fieldset>
  );
}
