import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { fromBase64, Reader } from '../../crypto/bytes.ts';
import { readDefinition } from '../../election/definition.ts';
import { splitDraft } from '../../election/draft.ts';
import type { Election } from '../election/useElection.ts';
import { saveAs } from '../ui/save.ts';
import { Card } from '../ui/ui.tsx';
import { type ElectionForm, formOf } from './form.ts';
import { printJson, printToml } from './formFile.ts';

/** The form of an election's definition, out of its draft. */
export function formOfDraft(draft: string): ElectionForm | undefined {
  const bytes = fromBase64(draft);
  if (bytes === undefined) return undefined;
  return formOf(readDefinition(new Reader(splitDraft(bytes).definition)));
}

/** Questions and rules to take away: as a file, or into the next election. */
export function DefinitionCard({ election }: { readonly election: Election }) {
  const { t } = useTranslation('admin');
  const { id, draft, title } = election;
  if (draft == null) return null;
  const form = formOfDraft(draft);
  if (form === undefined) return null;
  const name = title ?? 'election';
  return (
    <Card title={t('definition.title')}>
      <p className="q-muted">{t('definition.text')}</p>
      <div className="q-row">
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
        <Link to="/admin/new" search={{ like: id }} className="q-button">
          {t('definition.again')}
        </Link>
      </div>
    </Card>
  );
}
