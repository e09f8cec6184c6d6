import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import type { i18n as Texts } from 'i18next';
import { Fragment, useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, take } from '../api/client.ts';
import { useFeed } from '../feed/useFeed.ts';
import { useFormats } from '../ui/format.ts';
import { Told, tell } from '../ui/Told.tsx';
import type { ClusterEvent } from './types.ts';

/** Events that are fetched, and that are shown at once. */
const FETCHED = 400;
const SHOWN = 12;

export const EVENT_KINDS = [
  'leader',
  'unreachable',
  'slow',
  'healthy',
  'draining',
  'stopped',
  'started',
  'member',
] as const;

export interface EventFilter {
  readonly kind?: string;
  readonly node?: number;
  readonly find?: string;
}

/** Reads a filter from the query of the address; what makes no sense is left out. */
export function filterOf(search: Record<string, unknown>): EventFilter {
  const kind = EVENT_KINDS.find((known) => known === search.kind);
  const node = Number(search.node);
  const find = typeof search.find === 'string' && search.find !== '' ? search.find : undefined;
  return {
    ...(kind === undefined ? {} : { kind }),
    ...(Number.isInteger(node) && node > 0 ? { node } : {}),
    ...(find === undefined ? {} : { find }),
  };
}

/** Whether an event is asked for. `textOf` is what is searched in. */
export function matches(
  event: ClusterEvent,
  { kind, node, find }: EventFilter,
  textOf: (event: ClusterEvent) => string,
): boolean {
  return (
    (kind === undefined || event.kind === kind) &&
    (node === undefined || event.node === node) &&
    (find === undefined || textOf(event).toLowerCase().includes(find.toLowerCase()))
  );
}

/** Of an event's sentences the first says what has happened, the others why. */
function familyAt(place: number): 'event' | 'reason' {
  return place === 0 ? 'event' : 'reason';
}

/** All that an event says, in English and in the reader's language: people search for both. */
function wordsOf({ text, sentences }: ClusterEvent, i18n: Texts): string {
  const told = sentences.map((one, at) => tell(i18n, { family: familyAt(at), ...one }) ?? one.text);
  return [text, told.join(' ')].join('\n');
}

/** An event in the reader's language, as far as its codes are known. */
function EventText({ event: { text, sentences } }: { event: ClusterEvent }) {
  if (sentences.length === 0) {
    return (
      <span lang="en" dir="ltr">
        {text}
      </span>
    );
  }
  return sentences.map((sentence, at) => (
    <Fragment key={sentence.code}>
      {at > 0 && ' '}
      <Told family={familyAt(at)} {...sentence} />
    </Fragment>
  ));
}

const route = getRouteApi('/cluster');

/** The event log with its filter in the address. */
export function EventLog({ nodes }: { nodes: readonly number[] }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const events = useEvents();
  const change = (filter: EventFilter) => {
    void navigate({ search: { ...filter }, replace: true, resetScroll: false });
  };
  return <EventList events={events} nodes={nodes} filter={filterOf(search)} onChange={change} />;
}

/** All events that are known, newest first; new ones come by themselves. */
function useEvents(): readonly ClusterEvent[] {
  const [head, setHead] = useState<number>();
  const [news, setNews] = useState<readonly ClusterEvent[]>([]);
  useFeed<{ entries: ClusterEvent[] }>('cluster/events', ({ entries }, { seq }) => {
    setHead((known) => known ?? seq);
    if (entries.length > 0) setNews((before) => [...before, ...entries].slice(-FETCHED));
  });
  const cursor = head === undefined ? undefined : Math.max(0, head - FETCHED);
  const asked = useQuery({
    queryKey: ['cluster', 'events', cursor],
    enabled: cursor !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async () => {
      const query = { cursor: cursor ?? 0, limit: FETCHED };
      return (await take(api.GET('/api/v1/cluster/events', { params: { query } }))).items;
    },
  });
  return useMemo(() => {
    const all = new Map((asked.data ?? []).map((event) => [event.number, event]));
    for (const event of news) all.set(event.number, event);
    return [...all.values()].sort((one, other) => other.number - one.number);
  }, [asked.data, news]);
}

interface EventListProps {
  readonly events: readonly ClusterEvent[];
  readonly nodes: readonly number[];
  readonly filter: EventFilter;
  readonly onChange: (filter: EventFilter) => void;
}

export function EventList({ events, nodes, filter, onChange }: EventListProps) {
  const { t } = useTranslation('cluster');
  const { i18n } = useTranslation('nodes', { useSuspense: false });
  const { stamp, number } = useFormats();
  const [most, setMost] = useState(SHOWN);
  const { kind, node, find } = filter;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another filter begins anew
  useEffect(() => setMost(SHOWN), [kind, node, find]);
  const found = events.filter((event) => matches(event, filter, (one) => wordsOf(one, i18n)));
  return (
    <section className="q-card c-events" aria-labelledby="events">
      <h2 id="events">{t('events.title')}</h2>
      <FilterForm nodes={nodes} filter={filter} onChange={onChange} />
      <p className="q-small q-muted" role="status">
        {t('events.count', { count: found.length, shown: number(found.length) })}
      </p>
      {found.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">{t('chart.time')}</th>
              <th scope="col">{t('events.kind')}</th>
              <th scope="col">{t('events.what')}</th>
            </tr>
          </thead>
          <tbody>
            {found.slice(0, most).map((event) => (
              <tr key={event.number} data-kind={event.kind}>
                <td className="c-when">{stamp(event.time_ms)}</td>
                <td>
                  <span className="c-dot" data-kind={event.kind} />
                  {t(`event.${event.kind}`)}
                </td>
                <td>
                  <EventText event={event} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {found.length > most && (
        <button type="button" className="q-button" data-size="s" onClick={() => setMost(most * 4)}>
          {t('events.more')}
        </button>
      )}
    </section>
  );
}

function FilterForm({ nodes, filter, onChange }: Omit<EventListProps, 'events'>) {
  const { t } = useTranslation('cluster');
  const set = (part: { kind?: string; node?: string; find?: string }) =>
    onChange(filterOf({ ...filter, ...part }));
  return (
    <form className="q-row c-filter" onSubmit={(event) => event.preventDefault()}>
      <label>
        {t('events.kind')}
        <select
          className="c-select"
          value={filter.kind ?? ''}
          onChange={({ target }) => set({ kind: target.value })}
        >
          <option value="">{t('events.all')}</option>
          {EVENT_KINDS.map((kind) => (
            <option key={kind} value={kind}>
              {t(`event.${kind}`)}
            </option>
          ))}
        </select>
      </label>
      <label>
        {t('events.node')}
        <select
          className="c-select"
          value={filter.node ?? ''}
          onChange={({ target }) => set({ node: target.value })}
        >
          <option value="">{t('events.all')}</option>
          {nodes.map((node) => (
            <option key={node} value={node}>
              {t('node.name', { node })}
            </option>
          ))}
        </select>
      </label>
      <label className="c-find">
        {t('events.find')}
        <input
          className="q-input"
          type="search"
          value={filter.find ?? ''}
          onChange={({ target }) => set({ find: target.value })}
        />
      </label>
    </form>
  );
}
