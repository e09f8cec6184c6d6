import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { closingOf } from '../election/closing.ts';
import type { Election } from '../election/useElection.ts';
import { minutesToMs, useFormats } from '../ui/format.ts';
import { Card } from '../ui/ui.tsx';
import { TimeField } from './fields.tsx';
import { KeyField } from './KeyField.tsx';
import { OrderForm } from './OrderForm.tsx';
import { PaperMark, RollChanges } from './RollChanges.tsx';

interface Props {
  readonly election: Election;
  /** Unless the key is asked for above. */
  readonly asksForKey: boolean;
}

/** What may be done while voting is going on: signed orders that everybody sees on the ledger. */
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
      {definition?.paper === true ? (
        <PaperMark election={election} />
      ) : (
        <p className="q-muted q-small">{t('orders.noPaper')}</p>
      )}
      {definition?.roll_changes === true ? (
        <RollChanges election={election} />
      ) : (
        <p className="q-muted q-small">{t('orders.noChanges')}</p>
      )}
      {definition?.test === true && <Reset election={election} />}
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

/** A test begins again; the node refuses it for anything else. */
function Reset({ election }: Pick<Props, 'election'>) {
  const { t } = useTranslation('admin');
  const { ballots } = election.turnout;
  return (
    <OrderForm election={election} act="reset" order={{ act: 'reset' }}>
      <p className="q-prose">{t('orders.reset.text')}</p>
      <p>
        <strong>{t('orders.reset.ballots', { count: ballots })}</strong>
      </p>
    </OrderForm>
  );
}
