import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Election } from '../election/useElection.ts';
import { useFormats } from '../ui/format.ts';
import { Notice } from '../ui/ui.tsx';
import { ActFailure } from './ActFailure.tsx';
import { useAdminKey } from './adminKey.ts';
import { CheckField } from './fields.tsx';
import { addNewcomers, type Enrolled } from './giveOrder.ts';
import { RollFile } from './RollFile.tsx';
import type { RollTable } from './rollTable.ts';

/** Everybody of a file whom the roll does not have yet. */
export function Newcomers({ election }: { readonly election: Election }) {
  const { t } = useTranslation('admin');
  return (
    <fieldset className="q-fieldset q-stack">
      <legend>{t('orders.newcomers.title')}</legend>
      <p className="q-prose">{t('orders.newcomers.text')}</p>
      <RollFile label={t('orders.newcomers.file')} hint={t('orders.newcomers.fileText')}>
        {(table) => <AddAll election={election} table={table} />}
      </RollFile>
    </fieldset>
  );
}

interface Props {
  readonly election: Election;
  readonly table: RollTable;
}

function AddAll({ election, table }: Props) {
  const { t } = useTranslation('admin');
  const { number } = useFormats();
  const key = useAdminKey();
  const cache = useQueryClient();
  const [isSure, setSure] = useState(false);
  const [enrolled, setEnrolled] = useState<Enrolled>({ added: 0, known: 0 });
  const { voters, mistakes } = table;
  const add = useMutation({
    mutationFn: async () => {
      if (key === undefined) return;
      setEnrolled({ added: 0, known: 0 });
      await addNewcomers(election, key, voters, setEnrolled);
    },
    onSuccess: () => setSure(false),
    onSettled: () => void cache.invalidateQueries({ queryKey: ['elections', election.id] }),
  });
  const isGood = mistakes.length === 0 && voters.length > 0;
  const { added, known } = enrolled;
  const places = { added: number(added), known: number(known), of: number(voters.length) };
  return (
    <>
      <CheckField label={t('orders.newcomers.sure')} value={isSure} onValue={setSure} />
      <div>
        <button
          type="button"
          className="q-button"
          disabled={key === undefined || !isGood || !isSure || add.isPending}
          onClick={() => add.mutate()}
        >
          {t('orders.newcomers.act')}
        </button>
      </div>
      {key === undefined && isSure && <p className="q-muted q-small">{t('orders.needsKey')}</p>}
      {(add.isPending || add.isError) && (
        <p className="q-small">{t('orders.newcomers.progress', places)}</p>
      )}
      {add.isError && (
        <>
          <ActFailure error={add.error} />
          <p>{t('orders.newcomers.again')}</p>
        </>
      )}
      {add.isSuccess && !isSure && (
        <Notice tone="good" alert>
          {t('orders.newcomers.done', places)}
        </Notice>
      )}
    </>
  );
}
