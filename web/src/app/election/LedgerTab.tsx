import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { lazy, Suspense, useDeferredValue, useMemo, useRef, useSyncExternalStore } from 'react';
import { useTranslation } from 'react-i18next';
import { minutesToMs, useFormats } from '../ui/format.ts';
import { Card, Empty, Failure, Loading, Tag } from '../ui/ui.tsx';
import type { Line } from './curve.ts';
import { KINDS, useKind } from './kinds.ts';
import { type LedgerSearch, readLedgerSearch } from './ledgerSearch.ts';
import { filterLines, LedgerStore, nodeSource } from './ledgerStore.ts';
import { useElectionId } from './useElection.ts';

const EntryCard = lazy(() =>
  import('./EntryCard.tsx').then((module) => ({ default: module.EntryCard })),
);

const route = getRouteApi('/e/$id/ledger');
const stores = new Map<string, LedgerStore>();

function storeOf(id: string): LedgerStore {
  const known = stores.get(id) ?? new LedgerStore(nodeSource(id));
  stores.set(id, known);
  return known;
}

/** Every entry of the ledger: found, filtered, proven. */
export function LedgerTab() {
  const { t } = useTranslation();
  const { number, percent } = useFormats();
  const id = useElectionId();
  const store = storeOf(id);
  const { lines, last, isComplete, error } = useSyncExternalStore(store.watch, store.snapshot);
  const search = route.useSearch();
  const shownLines = useDeferredValue(lines);
  const places = useMemo(() => filterLines(shownLines, search), [shownLines, search]);
  return (
    <div className="q-stack">
      <p className="q-lead">{t('ledger.lead')}</p>
      {search.entry !== undefined && (
        <Suspense fallback={<Loading lines={3} />}>
          <EntryCard id={id} entry={search.entry} />
        </Suspense>
      )}
      <Card>
        <Filters id={id} search={search} />
        <p className="q-muted q-small" role="status">
          {isComplete
            ? t('ledger.count', { shown: number(places.length), all: number(lines.length) })
            : t('ledger.loading', { share: percent(lines.length, Math.max(1, last)) })}
        </p>
        {error !== undefined && <Failure error={error} retry={() => void store.load()} />}
        {places.length > 0 ? (
          <Rows id={id} lines={shownLines} places={places} chosen={search.entry} />
        ) : (
          isComplete && (
            <Empty icon="search" title={t(lines.length === 0 ? 'ledger.empty' : 'ledger.none')}>
              <p>{t(lines.length === 0 ? 'ledger.emptyText' : 'ledger.noneText')}</p>
            </Empty>
          )
        )}
      </Card>
    </div>
  );
}

function Filters({ id, search }: { readonly id: string; readonly search: LedgerSearch }) {
  const { t } = useTranslation();
  const kindText = useKind();
  const navigate = useNavigate();
  const change = (with_: LedgerSearch) => {
    const next = readLedgerSearch({ ...search, ...with_ });
    void navigate({ to: '/e/$id/ledger', params: { id }, search: next, replace: true });
  };
  return (
    <div className="q-filters">
      <div className="q-field">
        <label htmlFor="ledger-q">{t('ledger.find')}</label>
        <input
          id="ledger-q"
          className="q-input"
          type="search"
          value={search.q ?? ''}
          placeholder={t('ledger.findExample')}
          onChange={({ target }) => change({ q: target.value })}
        />
      </div>
      <div className="q-field">
        <label htmlFor="ledger-kind">{t('ledger.kind')}</label>
        <select
          id="ledger-kind"
          className="q-select q-select-wide"
          value={search.kind ?? ''}
          onChange={({ target }) => change({ kind: target.value })}
        >
          <option value="">{t('ledger.allKinds')}</option>
          {KINDS.map((kind) => (
            <option key={kind} value={kind}>
              {kindText(kind)}
            </option>
          ))}
        </select>
      </div>
      <label className="q-check">
        <input
          type="checkbox"
          checked={search.refused === true}
          onChange={({ target }) => change({ refused: target.checked })}
        />
        {t('ledger.refusedOnly')}
      </label>
    </div>
  );
}

const ROW_PX = 52;

interface RowsProps {
  readonly id: string;
  readonly lines: readonly Line[];
  readonly places: readonly number[];
  readonly chosen: number | undefined;
}

/** Only the rows in sight are in the document. */
function Rows({ id, lines, places, chosen }: RowsProps) {
  const { t } = useTranslation();
  const view = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: places.length,
    getScrollElement: () => view.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });
  const columns = ['entry', 'time', 'kind', 'what'] as const;
  return (
    // biome-ignore lint/a11y/useSemanticElements: rows that are not there cannot be in a table
    <div
      className="q-ledger"
      role="table"
      aria-label={t('ledger.table')}
      aria-rowcount={places.length + 1}
    >
      {/* biome-ignore lint/a11y/useSemanticElements: see above */}
      {/* biome-ignore lint/a11y/useFocusableInteractive: a row of headers takes no focus */}
      <div className="q-ledger-row q-ledger-head" role="row" aria-rowindex={1}>
        {columns.map((column) => (
          // biome-ignore lint/a11y/useSemanticElements: see above
          // biome-ignore lint/a11y/useFocusableInteractive: headers take no focus
          <span role="columnheader" key={column}>
            {t(`ledger.column.${column}`)}
          </span>
        ))}
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: see above */}
      <div
        className="q-ledger-view"
        ref={view}
        role="rowgroup"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable
        tabIndex={0}
        aria-label={t('ledger.table')}
      >
        <div role="presentation" style={{ blockSize: rows.getTotalSize(), position: 'relative' }}>
          {rows.getVirtualItems().map((row) => {
            const line = lines[places[row.index] as number];
            return (
              line !== undefined && (
                <Row
                  key={line.entry}
                  {...{ id, line }}
                  index={row.index}
                  start={row.start}
                  isChosen={chosen === line.entry}
                />
              )
            );
          })}
        </div>
      </div>
    </div>
  );
}

interface RowProps {
  readonly id: string;
  readonly line: Line;
  readonly index: number;
  readonly start: number;
  readonly isChosen: boolean;
}

function Row({ id, line, index, start, isChosen }: RowProps) {
  const { t } = useTranslation();
  const kindText = useKind();
  const format = useFormats();
  const navigate = useNavigate();
  const search = route.useSearch();
  const open = { ...search, entry: line.entry };
  return (
    // biome-ignore lint/a11y/useSemanticElements: see above
    // biome-ignore lint/a11y/useFocusableInteractive: the link in it takes the focus
    <div
      className="q-ledger-row"
      role="row"
      aria-rowindex={index + 2}
      data-chosen={isChosen}
      style={{ transform: `translateY(${start}px)`, blockSize: ROW_PX }}
    >
      {/* biome-ignore lint/a11y/useSemanticElements: see above */}
      <span role="cell">
        <a
          href={`/e/${id}/ledger?entry=${line.entry}`}
          onClick={(event) => {
            event.preventDefault();
            void navigate({ to: '/e/$id/ledger', params: { id }, search: open });
          }}
        >
          #{line.entry}
        </a>
      </span>
      {/* biome-ignore lint/a11y/useSemanticElements: see above */}
      <span role="cell" className="q-muted q-small">
        {line.stamp === null ? '' : format.stamp(minutesToMs(line.stamp))}
      </span>
      {/* biome-ignore lint/a11y/useSemanticElements: see above */}
      <span role="cell">{kindText(line.kind)}</span>
      {/* biome-ignore lint/a11y/useSemanticElements: see above */}
      <span role="cell">
        {line.refused !== null && <Tag tone="bad">{t('ledger.refused')}</Tag>}
        {line.tracker !== null && <span className="q-mono">{line.tracker}</span>}
      </span>
    </div>
  );
}
