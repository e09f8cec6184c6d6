import { type ReactNode, useId, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormats } from '../ui/format.ts';
import { csvOf, saveAs } from '../ui/save.ts';
import { Notice } from '../ui/ui.tsx';
import {
  type Decoded,
  decodeText,
  delimiterOf,
  FIELDS,
  type Field,
  guessMapping,
  type Mapping,
  parseRows,
  type RollTable,
  type Row,
  readRoll,
} from './rollTable.ts';

interface Loaded {
  readonly name: string;
  readonly decoded: Decoded;
  readonly rows: readonly Row[];
}

interface Props {
  readonly label: string;
  readonly hint: string;
  /** What is done with the voters of the file. */
  readonly children: (table: RollTable) => ReactNode;
}

/** Voters out of a file: choose it, map its columns, look. */
export function RollFile({ label, hint, children }: Props) {
  const field = useId();
  const [loaded, setLoaded] = useState<Loaded>();
  const [hasHeader, setHeader] = useState(false);
  const [mapping, setMapping] = useState<Mapping>();
  const read = async (file: File | undefined) => {
    if (file === undefined) return;
    const decoded = decodeText(new Uint8Array(await file.arrayBuffer()));
    const rows = parseRows(decoded.text, delimiterOf(decoded.text));
    const guess = guessMapping(rows);
    setLoaded({ name: file.name, decoded, rows });
    setHeader(guess.hasHeader);
    setMapping(guess.mapping);
  };
  return (
    <div className="q-stack">
      <div className="q-field">
        <label htmlFor={field}>{label}</label>
        <input
          id={field}
          type="file"
          className="q-file"
          accept=".csv,.tsv,.txt,text/csv,text/plain"
          aria-describedby={`${field}-hint`}
          onChange={({ target }) => void read(target.files?.[0])}
        />
        <span className="q-muted q-small" id={`${field}-hint`}>
          {hint}
        </span>
      </div>
      {loaded !== undefined && mapping !== undefined && (
        <Preview
          loaded={loaded}
          hasHeader={hasHeader}
          mapping={mapping}
          onHeader={setHeader}
          onMapping={setMapping}
        >
          {children}
        </Preview>
      )}
    </div>
  );
}

interface PreviewProps extends Pick<Props, 'children'> {
  readonly loaded: Loaded;
  readonly hasHeader: boolean;
  readonly mapping: Mapping;
  readonly onHeader: (hasHeader: boolean) => void;
  readonly onMapping: (mapping: Mapping) => void;
}

function Preview({ loaded, hasHeader, mapping, onHeader, onMapping, children }: PreviewProps) {
  const { t } = useTranslation('admin');
  const { number } = useFormats();
  const rows = hasHeader ? loaded.rows.slice(1) : loaded.rows;
  const table = useMemo(() => readRoll(rows, mapping), [rows, mapping]);
  const names = loaded.rows[0]?.cells ?? [];
  return (
    <div className="q-stack">
      <p className="q-small">
        {t('roll.detected', {
          name: loaded.name,
          encoding: loaded.decoded.encoding,
          rows: number(rows.length),
        })}
      </p>
      {loaded.decoded.encoding === 'windows-1252' && (
        <Notice tone="warn">{t('roll.encoding')}</Notice>
      )}
      <label className="q-check">
        <input
          type="checkbox"
          checked={hasHeader}
          onChange={({ target }) => onHeader(target.checked)}
        />
        {t('roll.header')}
      </label>
      <Columns names={names} hasHeader={hasHeader} mapping={mapping} onMapping={onMapping} />
      <First rows={rows} mapping={mapping} />
      <Mistakes table={table} />
      <p>
        <strong>
          {t('roll.total', { count: table.voters.length, weight: number(table.weight) })}
        </strong>
      </p>
      {children(table)}
    </div>
  );
}

interface ColumnsProps {
  readonly names: readonly string[];
  readonly hasHeader: boolean;
  readonly mapping: Mapping;
  readonly onMapping: (mapping: Mapping) => void;
}

function Columns({ names, hasHeader, mapping, onMapping }: ColumnsProps) {
  const { t } = useTranslation('admin');
  const field = useId();
  const title = (at: number) =>
    hasHeader ? (names[at] ?? '') : t('roll.column', { number: at + 1 });
  return (
    <fieldset className="q-fieldset">
      <legend>{t('roll.mapping')}</legend>
      <div className="q-filters">
        {FIELDS.map((name: Field) => (
          <div className="q-field" key={name}>
            <label htmlFor={`${field}-${name}`}>{t(`roll.field.${name}`)}</label>
            <select
              id={`${field}-${name}`}
              className="q-select q-select-wide"
              value={mapping[name] ?? ''}
              onChange={({ target }) =>
                onMapping({
                  ...mapping,
                  [name]: target.value === '' ? undefined : Number(target.value),
                })
              }
            >
              <option value="">{t(`roll.default.${name}`)}</option>
              {names.map((_, at) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: columns keep their place
                <option key={at} value={at}>
                  {title(at)}
                </option>
              ))}
            </select>
          </div>
        ))}
      </div>
    </fieldset>
  );
}

function First({ rows, mapping }: { readonly rows: readonly Row[]; readonly mapping: Mapping }) {
  const { t } = useTranslation('admin');
  return (
    <table className="q-table q-cards">
      <caption className="q-caption">{t('roll.first')}</caption>
      <thead>
        <tr>
          <th scope="col">{t('roll.line')}</th>
          {FIELDS.map((field) => (
            <th scope="col" key={field}>
              {t(`roll.field.${field}`)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.slice(0, 5).map(({ line, cells }) => (
          <tr key={line}>
            <td data-label={t('roll.line')}>{line}</td>
            {FIELDS.map((field) => {
              const at = mapping[field];
              return (
                <td key={field} data-label={t(`roll.field.${field}`)} className="q-mono q-clip">
                  {at === undefined ? t(`roll.default.${field}`) : cells[at]}
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const SHOWN = 20;

function Mistakes({ table }: { readonly table: RollTable }) {
  const { t } = useTranslation('admin');
  const { mistakes, rejected } = table;
  if (mistakes.length === 0) return null;
  const save = () => saveAs('rejected.csv', csvOf(rejected.map(({ cells }) => cells)), 'text/csv');
  return (
    <Notice tone="bad" title={t('roll.mistakes', { count: mistakes.length })} alert>
      <ul>
        {mistakes.slice(0, SHOWN).map(({ line, column, cell, code, other }) => (
          <li key={`${line}:${column}:${code}`}>
            {t('roll.place', { line, column })} <code>“{cell.slice(0, 40)}”</code>{' '}
            {t(`roll.mistake.${code}`, { other })}
          </li>
        ))}
      </ul>
      {mistakes.length > SHOWN && <p>{t('roll.more', { count: mistakes.length - SHOWN })}</p>}
      <div>
        <button type="button" className="q-button" data-size="s" onClick={save}>
          {t('roll.rejected', { count: rejected.length })}
        </button>
      </div>
    </Notice>
  );
}
