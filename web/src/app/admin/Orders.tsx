import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { toBase64 } from '../../crypto/bytes.ts';
import { type Order, writeOrder } from '../../election/order.ts';
import { api, idempotencyKey, take } from '../api/client.ts';
import { closingOf } from '../election/closing.ts';
import type { Election } from '../election/useElection.ts';
import { minutesToMs, useFormats } from '../ui/format.ts';
import { Card, Notice } from '../ui/ui.tsx';
import { ActFailure } from './ActFailure.tsx';
import { useAdminKey } from './adminKey.ts';
import { CheckField, TimeField } from './fields.tsx';
import { KeyField } from './KeyField.tsx';
import { fingerprintBytes, readDraft } from './seal.ts';

interface Props {
  readonly election: Election;
  /** Unless the key is asked for above. */
  readonly asksForKey: boolean;
}

/** Pausing, resuming and extending: signed orders that everybody sees on the ledger. */
export function Orders({ election, asksForKey }: Props) {
  const { t } = useTranslation('admin');
  const { phase, definition } = election;
  if (phase !== 'open' && phase !== 'paused') return null;
  const until = definition?.extendable_until ?? undefined;
  const closes = closingOf(election);
  return (
    <Card title={t('orders.title')}>
      {asksForKey && <KeyField />}
      {phase === 'open' ? (
        <OrderForm key="pause" election={election} act="pause" order={{ act: 'pause' }}>
          <p className="q-prose">{t('orders.pause.text')}</p>
        </OrderForm>
      ) : (
        <OrderForm key="resume" election={election} act="resume" order={{ act: 'resume' }}>
          <p className="q-prose">{t('orders.resume.text')}</p>
        </OrderForm>
      )}
      {until !== undefined && closes !== null ? (
        <Extend election={election} closes={closes} until={until} />
      ) : (
        <p className="q-muted q-small">{t('orders.notExtendable')}</p>
      )}
    </Card>
  );
}

interface ExtendProps {
  readonly election: Election;
  /** Minutes since 1970 UTC. */
  readonly closes: number;
  readonly until: number;
}

function Extend({ election, closes, until }: ExtendProps) {
  const { t } = useTranslation('admin');
  const { time } = useFormats();
  const [next, setNext] = useState<number>();
  const isPossible = next !== undefined && next > closes && next <= until;
  const places = { closes: time(minutesToMs(closes)), until: time(minutesToMs(until)) };
  return (
    <OrderForm
      election={election}
      act="extend"
      order={isPossible ? { act: 'extend', closes: next } : undefined}
      onDone={() => setNext(undefined)}
    >
      <p className="q-prose">{t('orders.extend.text', places)}</p>
      <TimeField label={t('orders.extend.field')} value={next} onValue={setNext} />
    </OrderForm>
  );
}

interface OrderProps {
  readonly election: Election;
  readonly act: 'pause' | 'resume' | 'extend';
  /** Nothing while it cannot be given. */
  readonly order: Order | undefined;
  readonly onDone?: () => void;
  readonly children: ReactNode;
}

function OrderForm({ election, act, order, onDone, children }: OrderProps) {
  const { t } = useTranslation('admin');
  const key = useAdminKey();
  const cache = useQueryClient();
  const [isSure, setSure] = useState(false);
  const { id } = election;
  const give = useMutation({
    mutationFn: async (next: Order) => {
      if (key === undefined) return undefined;
      const { draft, fingerprint, next_order } = election;
      if (draft != null) readDraft(draft, key);
      const bytes = writeOrder(key, fingerprintBytes(fingerprint), next_order ?? 0, next);
      const params = { path: { id }, header: { 'Idempotency-Key': idempotencyKey() } };
      const body = { order: toBase64(bytes) };
      return await take(api.POST('/api/v1/elections/{id}/orders', { params, body }));
    },
    onSuccess: () => {
      setSure(false);
      onDone?.();
    },
    onSettled: () => void cache.invalidateQueries({ queryKey: ['elections', id] }),
  });
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
      {give.isError && <ActFailure error={give.error} />}
      {give.isSuccess && (
        <Notice tone="good" alert>
          {t('orders.done')}
        </Notice>
      )}
    </fieldset>
  );
}
