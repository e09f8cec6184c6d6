import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { toBase64, toHex } from '../../crypto/bytes.ts';
import { publicKeyOf } from '../../crypto/signature.ts';
import { printAdminKey, signDraft, writeDefinition, writeDraft } from '../../election/draft.ts';
import { api, idempotencyKey, take } from '../api/client.ts';
import { minutesToMs, ownZone, useFormats } from '../ui/format.ts';
import { Icon } from '../ui/icons.tsx';
import { saveAs } from '../ui/save.ts';
import { Card, Failure, Notice } from '../ui/ui.tsx';
import { setAdminKey, useAdminKey } from './adminKey.ts';
import { ContestFields } from './ContestFields.tsx';
import {
  definitionOf,
  type ElectionForm,
  EMPTY_CONTEST,
  emptyForm,
  fromTemplate,
  linesOf,
  parseForm,
  printJson,
  printToml,
  problemOfForm,
  TEMPLATES,
} from './form.ts';
import { KeyField } from './KeyField.tsx';

/** Announcing an election: from a template, from a file, or from nothing. */
export function CreatePage() {
  const { t } = useTranslation('admin');
  const [form, setForm] = useState(() => emptyForm(location.hostname));
  const change = (with_: Partial<ElectionForm>) => setForm((before) => ({ ...before, ...with_ }));
  return (
    <div className="q-stack">
      <div className="q-stack-s">
        <h1>{t('create.title')}</h1>
        <p className="q-lead">{t('create.lead')}</p>
      </div>
      <Begin form={form} onForm={setForm} />
      <Basics form={form} onChange={change} />
      <Card title={t('create.questions')}>
        {form.contests.map((contest, at) => (
          <ContestFields
            // biome-ignore lint/suspicious/noArrayIndexKey: contests keep their place
            key={at}
            number={at + 1}
            contest={contest}
            onChange={(with_) =>
              change({
                contests: form.contests.map((one, place) =>
                  place === at ? { ...one, ...with_ } : one,
                ),
              })
            }
            onRemove={
              form.contests.length > 1
                ? () => change({ contests: form.contests.filter((_, place) => place !== at) })
                : undefined
            }
          />
        ))}
        <div>
          <button
            type="button"
            className="q-button"
            onClick={() => change({ contests: [...form.contests, EMPTY_CONTEST] })}
          >
            <Icon name="plus" /> {t('create.addQuestion')}
          </button>
        </div>
      </Card>
      <Trustees form={form} onChange={change} />
      <Rules form={form} onChange={change} />
      <Announce form={form} />
    </div>
  );
}

interface FormProps {
  readonly form: ElectionForm;
  readonly onChange: (with_: Partial<ElectionForm>) => void;
}

function Begin({ form, onForm }: { form: ElectionForm; onForm: (form: ElectionForm) => void }) {
  const { t } = useTranslation('admin');
  const field = useId();
  const [wrong, setWrong] = useState<string>();
  const read = async (file: File | undefined) => {
    if (file === undefined) return;
    try {
      onForm(parseForm(await file.text(), form.domain));
      setWrong(undefined);
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
  };
  const template = (name: (typeof TEMPLATES)[number]) => {
    const texts = {
      title: t(`template.${name}.title`),
      question: t(`template.${name}.question`),
      options: linesOf(t(`template.${name}.options`)),
    };
    onForm(fromTemplate(name, texts, form));
  };
  return (
    <Card title={t('create.begin')}>
      <div className="q-row">
        {TEMPLATES.map((name) => (
          <button type="button" className="q-button" key={name} onClick={() => template(name)}>
            {t(`template.${name}.name`)}
          </button>
        ))}
      </div>
      <div className="q-field">
        <label htmlFor={field}>{t('create.file')}</label>
        <input
          id={field}
          type="file"
          className="q-file"
          accept=".toml,.json,application/toml,application/json"
          onChange={({ target }) => void read(target.files?.[0])}
        />
      </div>
      {wrong !== undefined && (
        <p className="q-error" role="alert">
          {wrong}
        </p>
      )}
    </Card>
  );
}

function Basics({ form, onChange }: FormProps) {
  const { t } = useTranslation('admin');
  const field = useId();
  return (
    <Card title={t('create.basics')}>
      <div className="q-field">
        <label htmlFor={`${field}-title`}>{t('create.name')}</label>
        <input
          id={`${field}-title`}
          className="q-input"
          value={form.title}
          maxLength={200}
          onChange={({ target }) => onChange({ title: target.value })}
        />
      </div>
      <div className="q-field">
        <label htmlFor={`${field}-domain`}>{t('create.domain')}</label>
        <input
          id={`${field}-domain`}
          className="q-input q-mono"
          value={form.domain}
          onChange={({ target }) => onChange({ domain: target.value })}
        />
        <span className="q-muted q-small">{t('create.domainText')}</span>
      </div>
      <div className="q-grid">
        <Time
          label={t('create.opens')}
          value={form.opens}
          onTime={(opens) => onChange({ opens })}
        />
        <Time
          label={t('create.closes')}
          value={form.closes}
          onTime={(closes) => onChange({ closes })}
        />
      </div>
      <label className="q-check">
        <input
          type="checkbox"
          checked={form.isTest}
          onChange={({ target }) => onChange({ isTest: target.checked })}
        />
        {t('create.test')}
      </label>
    </Card>
  );
}

interface TimeProps {
  readonly label: string;
  /** Minutes since 1970 UTC. */
  readonly value: number | undefined;
  readonly onTime: (minutes: number | undefined) => void;
}

/** A time in the viewer's zone, shown in UTC, too. */
function Time({ label, value, onTime }: TimeProps) {
  const { t } = useTranslation('admin');
  const { time } = useFormats();
  const field = useId();
  const local = (minutes: number) => {
    const at = new Date(minutesToMs(minutes));
    return new Date(at.getTime() - 60_000 * at.getTimezoneOffset()).toISOString().slice(0, 16);
  };
  const read = (text: string) => {
    const ms = Date.parse(text);
    onTime(Number.isNaN(ms) ? undefined : Math.floor(ms / 60_000));
  };
  return (
    <div className="q-field">
      <label htmlFor={field}>{label}</label>
      <input
        id={field}
        type="datetime-local"
        className="q-input"
        value={value === undefined ? '' : local(value)}
        onChange={({ target }) => read(target.value)}
      />
      <span className="q-muted q-small">
        {t('create.zone', { zone: ownZone() })}
        {value !== undefined && ` · ${time(minutesToMs(value), 'UTC')}`}
      </span>
    </div>
  );
}

function Trustees({ form, onChange }: FormProps) {
  const { t } = useTranslation('admin');
  const field = useId();
  const count = linesOf(form.trustees).length;
  return (
    <Card title={t('create.trustees')}>
      <p className="q-prose">{t('create.trusteesText')}</p>
      <div className="q-field">
        <label htmlFor={`${field}-names`}>{t('create.trusteeNames')}</label>
        <textarea
          id={`${field}-names`}
          className="q-input"
          rows={3}
          value={form.trustees}
          onChange={({ target }) => onChange({ trustees: target.value })}
        />
      </div>
      <div className="q-field">
        <label htmlFor={`${field}-threshold`}>{t('create.threshold')}</label>
        <input
          id={`${field}-threshold`}
          type="number"
          className="q-input q-narrow-input"
          min={1}
          max={Math.max(1, count)}
          value={form.threshold}
          onChange={({ target }) => onChange({ threshold: Math.max(0, target.valueAsNumber || 0) })}
        />
        <span className="q-muted q-small">
          {t('create.thresholdText', { threshold: form.threshold, count })}
        </span>
      </div>
    </Card>
  );
}

function Rules({ form, onChange }: FormProps) {
  const { t } = useTranslation('admin');
  const field = useId();
  return (
    <Card title={t('create.rules')}>
      <label className="q-check">
        <input
          type="checkbox"
          checked={form.revote}
          onChange={({ target }) => onChange({ revote: target.checked })}
        />
        {t('create.revote')}
      </label>
      <label className="q-check">
        <input
          type="checkbox"
          checked={form.acceptsSmallClasses}
          onChange={({ target }) => onChange({ acceptsSmallClasses: target.checked })}
        />
        {t('create.smallClasses')}
      </label>
      <div className="q-field">
        <label htmlFor={`${field}-minimum`}>{t('create.minimum')}</label>
        <input
          id={`${field}-minimum`}
          type="number"
          className="q-input q-narrow-input"
          min={1}
          value={form.minimumBallots}
          onChange={({ target }) =>
            onChange({ minimumBallots: Math.max(0, target.valueAsNumber || 0) })
          }
        />
        <span className="q-muted q-small">{t('create.minimumText')}</span>
      </div>
    </Card>
  );
}

function Announce({ form }: { readonly form: ElectionForm }) {
  const { t } = useTranslation('admin');
  const key = useAdminKey();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const problem = problemOfForm(form);
  const announce = useMutation({
    mutationFn: async (seed: Uint8Array) => {
      const id = crypto.getRandomValues(new Uint8Array(16));
      const definition = writeDefinition(definitionOf(form));
      const draft = writeDraft({ id, admin: publicKeyOf(seed), definition });
      const body = { draft: toBase64(draft), signature: toBase64(signDraft(seed, draft)) };
      const params = { header: { 'Idempotency-Key': idempotencyKey() } };
      await take(api.POST('/api/v1/elections', { params, body }));
      return toHex(id);
    },
    onSuccess: async (id) => {
      await cache.invalidateQueries({ queryKey: ['elections'] });
      await navigate({ to: '/admin/e/$id', params: { id } });
    },
  });
  const makeKey = () => {
    const seed = crypto.getRandomValues(new Uint8Array(32));
    saveAs('admin.key', printAdminKey(seed), 'text/plain');
    setAdminKey(seed);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (key !== undefined) announce.mutate(key);
  };
  const name = form.title.trim() === '' ? 'election' : form.title.trim();
  return (
    <form onSubmit={submit}>
      <Card title={t('create.announce')}>
        <p className="q-prose">{t('create.keyText')}</p>
        <KeyField />
        {key === undefined && (
          <div>
            <button type="button" className="q-button" onClick={makeKey}>
              <Icon name="download" /> {t('create.makeKey')}
            </button>
          </div>
        )}
        {problem !== undefined && (
          <Notice tone="warn" title={t('create.notYet')}>
            <p>{problem}</p>
          </Notice>
        )}
        {announce.isError && <Failure error={announce.error} />}
        <div className="q-row">
          <button
            type="submit"
            className="q-button"
            data-kind="primary"
            disabled={problem !== undefined || key === undefined || announce.isPending}
          >
            {t('create.submit')}
          </button>
          <button
            type="button"
            className="q-button"
            onClick={() => saveAs(`${name}.toml`, printToml(form), 'application/toml')}
          >
            {t('create.saveToml')}
          </button>
          <button
            type="button"
            className="q-button"
            onClick={() => saveAs(`${name}.json`, printJson(form), 'application/json')}
          >
            {t('create.saveJson')}
          </button>
        </div>
      </Card>
    </form>
  );
}
