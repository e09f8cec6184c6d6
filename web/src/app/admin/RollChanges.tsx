import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Election } from '../election/useElection.ts';
import { CredentialField, useCredential } from './CredentialField.tsx';
import { ChoiceField, NumberField } from './fields.tsx';
import { Newcomers } from './Newcomers.tsx';
import { OrderForm } from './OrderForm.tsx';

interface Props {
  readonly election: Election;
}

const CHANGES = ['add', 'newcomers', 'withdraw', 'replace'] as const;
type Change = (typeof CHANGES)[number];

const FORMS: Record<Change, (props: Props) => ReactNode> = {
  add: Add,
  newcomers: Newcomers,
  withdraw: Withdraw,
  replace: Replace,
};

/** Who is added to the sealed roll, taken from it, or given another key. */
export function RollChanges({ election }: Props) {
  const { t } = useTranslation('admin');
  const [change, setChange] = useState<Change>('add');
  const Form = FORMS[change];
  return (
    <div className="q-stack">
      <h3>{t('orders.roll.title')}</h3>
      <p className="q-prose">{t('orders.roll.text')}</p>
      <ChoiceField
        label={t('orders.roll.choice')}
        value={change}
        options={CHANGES.map((value) => ({ value, text: t(`orders.${value}.title`) }))}
        onValue={setChange}
      />
      <Form key={change} election={election} />
    </div>
  );
}

const WEIGHT_MAX = 0xffff_ffff;

function Add({ election }: Props) {
  const { t } = useTranslation('admin');
  const typed = useCredential(election, 'newcomer');
  const [weight, setWeight] = useState(1);
  const [group, setGroup] = useState('0');
  const groups = election.definition?.groups ?? [];
  const isWeight = weight >= 1 && weight <= WEIGHT_MAX;
  const { key } = typed;
  const voter = key === undefined || !isWeight ? undefined : { key, weight, group: Number(group) };
  return (
    <OrderForm
      election={election}
      act="add"
      order={voter && { act: 'add', voter }}
      onDone={() => typed.onText('')}
    >
      <p className="q-prose">{t('orders.add.text')}</p>
      <CredentialField
        election={election}
        whose="newcomer"
        label={t('orders.add.key')}
        typed={typed}
      />
      <div className="q-filters">
        <NumberField
          label={t('roll.field.weight')}
          hint={t(isWeight ? 'orders.add.weight' : 'roll.mistake.bad-weight')}
          min={1}
          max={WEIGHT_MAX}
          value={weight}
          onValue={setWeight}
        />
        {groups.length > 0 && (
          <ChoiceField
            label={t('roll.field.group')}
            value={group}
            options={[
              { value: '0', text: t('roll.default.group') },
              ...groups.map((text, at) => ({ value: `${at + 1}`, text })),
            ]}
            onValue={setGroup}
          />
        )}
      </div>
    </OrderForm>
  );
}

function Withdraw({ election }: Props) {
  const { t } = useTranslation('admin');
  const typed = useCredential(election, 'voter');
  const { key } = typed;
  return (
    <OrderForm
      election={election}
      act="withdraw"
      order={key && { act: 'withdraw', key }}
      onDone={() => typed.onText('')}
    >
      <p className="q-prose">{t('orders.withdraw.text')}</p>
      <CredentialField
        election={election}
        whose="voter"
        label={t('orders.withdraw.key')}
        typed={typed}
      />
    </OrderForm>
  );
}

function Replace({ election }: Props) {
  const { t } = useTranslation('admin');
  const lost = useCredential(election, 'voter');
  const fresh = useCredential(election, 'newcomer');
  const isWhole = lost.key !== undefined && fresh.key !== undefined;
  const clear = () => {
    lost.onText('');
    fresh.onText('');
  };
  return (
    <OrderForm
      election={election}
      act="replace"
      order={isWhole ? { act: 'replace', key: lost.key, by: fresh.key } : undefined}
      onDone={clear}
    >
      <p className="q-prose">{t('orders.replace.text')}</p>
      <CredentialField
        election={election}
        whose="voter"
        label={t('orders.replace.key')}
        typed={lost}
      />
      <CredentialField
        election={election}
        whose="newcomer"
        label={t('orders.replace.by')}
        typed={fresh}
      />
    </OrderForm>
  );
}

/** Somebody votes on paper, and not here any more. */
export function PaperMark({ election }: Props) {
  const { t } = useTranslation('admin');
  const typed = useCredential(election, 'voter');
  const { key } = typed;
  const { paper_voters } = election.turnout;
  return (
    <OrderForm
      election={election}
      act="paper"
      order={key && { act: 'paper', key }}
      onDone={() => typed.onText('')}
    >
      <p className="q-prose">{t('orders.paper.text')}</p>
      <p className="q-small">{t('orders.paper.marked', { count: paper_voters })}</p>
      <CredentialField
        election={election}
        whose="voter"
        label={t('orders.paper.key')}
        typed={typed}
      />
    </OrderForm>
  );
}
