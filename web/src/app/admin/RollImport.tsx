import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { toBase64 } from '../../crypto/bytes.ts';
import { api, idempotencyKey, take } from '../api/client.ts';
import { Failure, Notice } from '../ui/ui.tsx';
import { RollFile } from './RollFile.tsx';
import { chunksOf, type RollTable } from './rollTable.ts';

/** The public roll, which may be replaced until it is sealed. */
export function RollImport({ id, hasRoll }: { readonly id: string; readonly hasRoll: boolean }) {
  const { t } = useTranslation('admin');
  return (
    <RollFile label={t(hasRoll ? 'roll.again' : 'roll.file')} hint={t('roll.fileText')}>
      {(table) => <Import id={id} table={table} />}
    </RollFile>
  );
}

function Import({ id, table }: { readonly id: string; readonly table: RollTable }) {
  const { t } = useTranslation('admin');
  const cache = useQueryClient();
  const send = useMutation({
    mutationFn: () =>
      take(
        api.PUT('/api/v1/elections/{id}/roll', {
          params: { path: { id }, header: { 'Idempotency-Key': idempotencyKey() } },
          body: { chunks: chunksOf(table.voters).map(toBase64) },
        }),
      ),
    onSuccess: () => void cache.invalidateQueries({ queryKey: ['elections', id] }),
  });
  const isGood = table.mistakes.length === 0 && table.voters.length > 0;
  return (
    <>
      <div>
        <button
          type="button"
          className="q-button"
          data-kind="primary"
          disabled={!isGood || send.isPending}
          onClick={() => send.mutate()}
        >
          {t('roll.import')}
        </button>
      </div>
      {send.isError && <Failure error={send.error} />}
      {send.isSuccess && (
        <Notice tone="good" alert>
          {t('roll.imported')}
        </Notice>
      )}
    </>
  );
}
