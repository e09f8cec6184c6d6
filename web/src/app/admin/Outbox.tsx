import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, idempotencyKey, type Schemas, take } from '../api/client.ts';
import type { Election } from '../election/useElection.ts';
import { useFormats } from '../ui/format.ts';
import { Card, Failure, Loading, Tag, type Tone } from '../ui/ui.tsx';
import { linesOf } from './form.ts';
import { outbox } from './queries.ts';

type Mail = Schemas['Mail'];
type Kind = Mail['kind'];

const TONES: Record<Mail['status'], Tone> = {
  queued: 'plain',
  sending: 'info',
  sent: 'good',
  failed: 'bad',
  unknown: 'warn',
};

/** Mail of an election: what was sent to whom, and writing more. No secrets go through nodes. */
export function Outbox({ election }: { readonly election: Election }) {
  const { t } = useTranslation('admin');
  const { id } = election;
  const asked = useQuery(outbox(id));
  return (
    <Card title={t('mail.title')}>
      <p className="q-muted">{t('mail.text')}</p>
      {asked.isPending && <Loading lines={2} />}
      {asked.isError && <Failure error={asked.error} retry={() => void asked.refetch()} />}
      {asked.data?.length === 0 && <p>{t('mail.none')}</p>}
      {asked.data !== undefined && asked.data.length > 0 && <Sent id={id} mails={asked.data} />}
      <details>
        <summary>{t('mail.write')}</summary>
        <Write election={election} />
      </details>
    </Card>
  );
}

function Sent({ id, mails }: { readonly id: string; readonly mails: readonly Mail[] }) {
  const { t } = useTranslation('admin');
  const format = useFormats();
  const cache = useQueryClient();
  const again = useMutation({
    mutationFn: (message: string) =>
      take(
        api.POST('/api/v1/elections/{id}/mail/{message}/again', {
          params: { path: { id, message }, header: { 'Idempotency-Key': idempotencyKey() } },
        }),
      ),
    onSettled: () => void cache.invalidateQueries({ queryKey: ['elections', id, 'mail'] }),
  });
  const states = Object.keys(TONES) as Mail['status'][];
  const counts = states
    .map((status) => ({ status, count: mails.filter((mail) => mail.status === status).length }))
    .filter(({ count }) => count > 0);
  return (
    <>
      <p className="q-row">
        {counts.map(({ status, count }) => (
          <Tag key={status} tone={TONES[status]}>
            {t(`mail.status.${status}`)}: {format.number(count)}
          </Tag>
        ))}
      </p>
      {again.isError && <Failure error={again.error} />}
      <table className="q-table q-cards">
        <thead>
          <tr>
            <th scope="col">{t('mail.to')}</th>
            <th scope="col">{t('mail.subject')}</th>
            <th scope="col">{t('mail.state')}</th>
            <th scope="col">{t('mail.when')}</th>
          </tr>
        </thead>
        <tbody>
          {mails.map(({ message, to, subject, status, said, changed_ms }) => (
            <tr key={message}>
              <td data-label={t('mail.to')}>{to}</td>
              <td data-label={t('mail.subject')}>{subject}</td>
              <td data-label={t('mail.state')}>
                <span className="q-row">
                  <Tag tone={TONES[status]}>{t(`mail.status.${status}`)}</Tag>
                  {(status === 'failed' || status === 'unknown') && (
                    <button
                      type="button"
                      className="q-button"
                      data-size="s"
                      disabled={again.isPending}
                      onClick={() => again.mutate(message)}
                    >
                      {t('mail.again')}
                    </button>
                  )}
                </span>
                {said !== undefined && status !== 'sent' && (
                  <span className="q-muted q-small">{said}</span>
                )}
              </td>
              <td data-label={t('mail.when')}>{format.stamp(changed_ms)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Write({ election }: { readonly election: Election }) {
  const { t } = useTranslation('admin');
  const { id, title, phase } = election;
  const field = useId();
  const cache = useQueryClient();
  const first: Kind = phase === 'published' ? 'result' : phase === 'open' ? 'reminder' : 'notice';
  const [kind, setKind] = useState<Kind>(first);
  const [subject, setSubject] = useState(t(`mail.subjects.${first}`, { title }));
  const [text, setText] = useState('');
  const [to, setTo] = useState('');
  const recipients = to.split(/[\s,;]+/).filter((address) => address !== '');
  const send = useMutation({
    mutationFn: () =>
      take(
        api.POST('/api/v1/elections/{id}/mail', {
          params: { path: { id }, header: { 'Idempotency-Key': idempotencyKey() } },
          body: { kind, subject, text: linesOf(text).length === 0 ? '' : text, recipients },
        }),
      ),
    onSuccess: () => {
      setTo('');
      void cache.invalidateQueries({ queryKey: ['elections', id, 'mail'] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    send.mutate();
  };
  const kinds = ['reminder', 'result', 'notice'] as const;
  return (
    <form className="q-stack" onSubmit={submit}>
      <div className="q-field">
        <label htmlFor={`${field}-kind`}>{t('mail.kind')}</label>
        <select
          id={`${field}-kind`}
          className="q-select q-select-wide"
          value={kind}
          onChange={({ target }) => setKind(kinds.find((one) => one === target.value) ?? 'notice')}
        >
          {kinds.map((one) => (
            <option key={one} value={one}>
              {t(`mail.kinds.${one}`)}
            </option>
          ))}
        </select>
        <span className="q-muted q-small">{t(`mail.kindText.${kind}`)}</span>
      </div>
      <div className="q-field">
        <label htmlFor={`${field}-subject`}>{t('mail.subject')}</label>
        <input
          id={`${field}-subject`}
          className="q-input"
          required
          maxLength={200}
          value={subject}
          onChange={({ target }) => setSubject(target.value)}
        />
      </div>
      <div className="q-field">
        <label htmlFor={`${field}-text`}>{t('mail.body')}</label>
        <textarea
          id={`${field}-text`}
          className="q-input"
          rows={6}
          required
          value={text}
          onChange={({ target }) => setText(target.value)}
        />
      </div>
      <div className="q-field">
        <label htmlFor={`${field}-to`}>{t('mail.recipients')}</label>
        <textarea
          id={`${field}-to`}
          className="q-input"
          rows={3}
          required
          value={to}
          onChange={({ target }) => setTo(target.value)}
        />
        <span className="q-muted q-small">{t('mail.recipientsText')}</span>
      </div>
      {send.isError && <Failure error={send.error} />}
      <div>
        <button
          type="submit"
          className="q-button"
          data-kind="primary"
          disabled={send.isPending || recipients.length === 0}
        >
          {t('mail.send', { count: recipients.length })}
        </button>
      </div>
    </form>
  );
}
