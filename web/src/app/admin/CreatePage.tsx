import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type FormEvent, useEffect, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { toBase64, toHex } from '../../crypto/bytes.ts';
import { publicKeyOf } from '../../crypto/signature.ts';
import { printAdminKey, signDraft, writeDefinition, writeDraft } from '../../election/draft.ts';
import { api, idempotencyKey, take } from '../api/client.ts';
import { election } from '../api/queries.ts';
import { Icon } from '../ui/icons.tsx';
import { saveAs } from '../ui/save.ts';
import { Card, Failure, Notice } from '../ui/ui.tsx';
import { setAdminKey, useAdminKey } from './adminKey.ts';
import { ContestFields } from './ContestFields.tsx';
import { formOfDraft } from './DefinitionCard.tsx';
import { Basics, Groups, Rules, Trustees } from './DefinitionFields.tsx';
import {
  definitionOf,
  type ElectionForm,
  EMPTY_CONTEST,
  emptyForm,
  fromTemplate,
  linesOf,
  problemsOfForm,
  TEMPLATES,
} from './form.ts';
import { FormFileError, parseForm, printJson, printToml } from './formFile.ts';
import { KeyField } from './KeyField.tsx';

const NO_TIMES = { opens: undefined, closes: undefined, extendableUntil: undefined };
const route = getRouteApi('/admin/new');

/** Announcing an election: from a template, from a file, or from nothing. */
export function CreatePage() {
  const { t } = useTranslation('admin');
  const [form, setForm] = useState(() => emptyForm(location.hostname));
  const change = (with_: Partial<ElectionForm>) => setForm((before) => ({ ...before, ...with_ }));
  const { like } = route.useSearch();
  const model = useQuery({ ...election(like ?? ''), enabled: like !== undefined });
  const draft = model.data?.draft;
  useEffect(() => {
    const copied = draft == null ? undefined : formOfDraft(draft);
    // Its times have passed, its rehearsal is over, and the nodes may have another booth by now.
    if (copied !== undefined) setForm({ ...copied, ...NO_TIMES, isTest: false, booth: '' });
  }, [draft]);
  const groups = linesOf(form.groups);
  return (
    <div className="q-stack">
      <div className="q-stack-s">
        <h1>{t('create.title')}</h1>
        <p className="q-lead">{t('create.lead')}</p>
      </div>
      <Begin form={form} onForm={setForm} />
      <Basics form={form} onChange={change} />
      <Groups form={form} onChange={change} />
      <Card title={t('create.questions')}>
        {form.contests.map((contest, at) => (
          <ContestFields
            // biome-ignore lint/suspicious/noArrayIndexKey: contests keep their place
            key={at}
            number={at + 1}
            contest={contest}
            groups={groups}
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

function Begin({ form, onForm }: { form: ElectionForm; onForm: (form: ElectionForm) => void }) {
  const { t } = useTranslation('admin');
  const field = useId();
  const [wrong, setWrong] = useState<unknown>();
  const read = async (file: File | undefined) => {
    if (file === undefined) return;
    try {
      onForm(parseForm(await file.text(), form.domain));
      setWrong(undefined);
    } catch (error) {
      setWrong(error);
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
          {wrong instanceof FormFileError
            ? t(`create.fileProblem.${wrong.code}`, wrong.values)
            : String(wrong)}
        </p>
      )}
    </Card>
  );
}

function Announce({ form }: { readonly form: ElectionForm }) {
  const { t } = useTranslation('admin');
  const key = useAdminKey();
  const cache = useQueryClient();
  const navigate = useNavigate();
  const problems = problemsOfForm(form);
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
        {problems.length > 0 && (
          <Notice tone="warn" title={t('create.notYet')}>
            <ul>
              {problems.map(({ code, values }) => (
                <li key={`${code} ${values.number ?? ''}`}>
                  {t(`create.problem.${code}`, values)}
                </li>
              ))}
            </ul>
          </Notice>
        )}
        {announce.isError && <Failure error={announce.error} />}
        <div className="q-row">
          <button
            type="submit"
            className="q-button"
            data-kind="primary"
            disabled={problems.length > 0 || key === undefined || announce.isPending}
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
