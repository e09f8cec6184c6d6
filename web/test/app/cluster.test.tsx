// @vitest-environment jsdom

import '@testing-library/jest-dom/vitest';
import { cleanup, fireEvent, render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import axe from 'axe-core';
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Alarms } from '../../src/app/cluster/Alarms.tsx';
import { FaultBar } from '../../src/app/cluster/demo/FaultBar.tsx';
import { Invariants } from '../../src/app/cluster/demo/Invariants.tsx';
import { Stopwatch } from '../../src/app/cluster/demo/Stopwatch.tsx';
import { EventList, filterOf } from '../../src/app/cluster/EventLog.tsx';
import { append, columns, leaderChanges, stretches } from '../../src/app/cluster/history.ts';
import { NodeCard } from '../../src/app/cluster/NodeCard.tsx';
import { TimeLine } from '../../src/app/cluster/TimeLine.tsx';
import ar from '../../src/app/cluster/texts/ar.ts';
import de from '../../src/app/cluster/texts/de.ts';
import en from '../../src/app/cluster/texts/en.ts';
import es from '../../src/app/cluster/texts/es.ts';
import fr from '../../src/app/cluster/texts/fr.ts';
import type {
  ClusterEvent,
  ClusterView,
  DemoNode,
  FaultRecord,
  Forecast,
  NodeView,
} from '../../src/app/cluster/types.ts';
import { Verdict } from '../../src/app/cluster/Verdict.tsx';
import { shortSpan, verdict } from '../../src/app/cluster/words.ts';
import nodesDe from '../../src/app/i18n/nodes/de.ts';
import nodes from '../../src/app/i18n/nodes/en.ts';

beforeAll(async () => {
  // jsdom knows dialogs and cannot show them.
  HTMLDialogElement.prototype.showModal = function showModal() {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function close() {
    this.open = false;
  };
  await i18next.use(initReactI18next).init({
    lng: 'en',
    ns: ['cluster', 'nodes'],
    defaultNS: 'cluster',
    resources: { en: { cluster: en, nodes }, de: { cluster: de, nodes: nodesDe } },
    interpolation: { escapeValue: false },
  });
});

afterEach(cleanup);

const T = 1_795_280_000_000;

function nodeOf(node: number, change: Partial<NodeView> = {}): NodeView {
  return {
    node,
    state: 'healthy',
    reasons: [],
    age_ms: 400,
    is_leader: false,
    votes: true,
    peer_address: `127.0.0.1:710${node}`,
    lag: 3,
    silent_ms: 20,
    clock_ahead_ms: -2,
    last: {
      name: `node-${node}`,
      version: '0.1.0',
      count: 9,
      started_ms: T - 134_000,
      time_ms: T,
      addresses: [],
      role: 'follower',
      term: 5,
      commit: 1234,
      applied: 1230,
      last: 1235,
      draining: false,
      disk_stalled_ms: 0,
      cpu_seconds: 4,
      cpu_percent: 2.5,
      memory_bytes: 52_000_000,
      disk_free_bytes: 50,
      disk_total_bytes: 100,
      store_bytes: 9_000_000,
      commits: { count: 40, p50_ms: 1.8, p99_ms: 9.4 },
    },
    ...change,
  } as NodeView;
}

function viewOf(change: Partial<ClusterView> = {}): ClusterView {
  return {
    verdict: '',
    level: 'healthy',
    seen_by: 1,
    time_ms: T,
    leader: 2,
    term: 5,
    nodes: [nodeOf(1), nodeOf(2, { is_leader: true, lag: null }), nodeOf(3)],
    ...change,
  };
}

const LIVE = { kind: 'live', ageMs: 300 } as const;

async function findings(element: Element): Promise<string[]> {
  const { violations } = await axe.run(element, {
    rules: { 'color-contrast': { enabled: false }, region: { enabled: false } },
  });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}

describe('texts', () => {
  function keys(value: object, prefix = ''): string[] {
    return Object.entries(value).flatMap(([key, inner]) =>
      typeof inner === 'string'
        ? [`${prefix}${key}`.replace(/_(zero|one|two|few|many|other)$/, '')]
        : keys(inner as object, `${prefix}${key}.`),
    );
  }
  function parameters(value: object): Map<string, string> {
    const found = new Map<string, string>();
    const walk = (inner: object, prefix: string) => {
      for (const [key, text] of Object.entries(inner)) {
        if (typeof text === 'string') {
          const names = [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name);
          found.set(`${prefix}${key}`, [...new Set(names)].sort().join());
        } else walk(text as object, `${prefix}${key}.`);
      }
    };
    walk(value, '');
    return found;
  }
  test.each([
    ['de', de],
    ['es', es],
    ['fr', fr],
    ['ar', ar],
  ])('%s says everything that English says, about the same things', (_, texts) => {
    const wanted = new Set(keys(en));
    expect(new Set(keys(texts))).toEqual(wanted);
    const own = parameters(texts);
    for (const [key, names] of parameters(en)) {
      const said = own.get(key);
      if (said !== undefined && !/_(one|two|zero)$/.test(key))
        expect([key, said]).toEqual([key, names]);
    }
  });
});

describe('verdict', () => {
  const t = (key: string, values?: object) => i18next.t(key, { ns: 'cluster', ...values });
  const say = (view: ClusterView) => verdict(view, t as never);

  test('says how many are well, who leads, and what may still happen', () => {
    expect(say(viewOf())).toBe('All 3 nodes are healthy; node 2 leads (term 5).');
    const away = nodeOf(3, { state: 'unreachable', age_ms: 134_000 });
    const [one, two] = viewOf().nodes;
    const degraded = viewOf({ level: 'degraded', nodes: [one!, two!, away] });
    expect(say(degraded)).toBe(
      '2 of 3 nodes are healthy; node 2 leads (term 5). No further node may fail.',
    );
    expect(say(viewOf({ level: 'down', leader: null }))).toMatch(/^No node leads: nothing can be/);
  });

  test('shows its age when it is old, and is not green then', () => {
    const { rerender } = render(<Verdict view={viewOf()} freshness={LIVE} />);
    expect(screen.getByText(/^Live/)).toBeInTheDocument();
    const stale = { kind: 'stale', ageMs: 12_000 } as const;
    rerender(<Verdict view={viewOf()} freshness={stale} />);
    expect(screen.getByText(/Stale since 12 s/)).toBeInTheDocument();
    expect(screen.getByRole('region')).toHaveAttribute('data-level', 'unknown');
  });
});

test('a span is short', () => {
  expect([340, 12_000, 134_000, 11_100_000, 200_000_000].map(shortSpan)).toEqual([
    '340 ms',
    '12 s',
    '2 min 14 s',
    '3 h 5 min',
    '2 d 7 h',
  ]);
});

describe('history', () => {
  test('keeps what was, joins what is alike, and leaves gaps open', () => {
    let samples = append([], viewOf());
    samples = append(samples, viewOf({ time_ms: T + 1000 }));
    samples = append(samples, viewOf({ time_ms: T + 2000, leader: 3, term: 6 }));
    expect(append(samples, viewOf({ time_ms: T - 1 }))).toBe(samples);
    expect(leaderChanges(samples).map(({ leader, term }) => [leader, term])).toEqual([
      [2, 5],
      [3, 6],
    ]);
    expect(stretches(samples, 2, T + 3000)).toEqual([
      { part: 'leads', from: T, to: T + 2000 },
      { part: 'follows', from: T + 2000, to: T + 3000 },
    ]);
    samples = append(samples, viewOf({ time_ms: T + 60_000 }));
    const [times, lag] = columns(samples, [(sample) => sample.nodes.get(1)?.lag ?? null]);
    expect(times).toHaveLength(5);
    expect(lag).toEqual([3, 3, 3, null, 3]);
    expect(stretches(samples, 1, T + 61_000).map(({ to }) => to - T)).toEqual([7000, 61_000]);
  });
});

describe('nodes', () => {
  test('a card says how it is and why, and how old that is', async () => {
    const node = nodeOf(3, {
      state: 'unreachable',
      age_ms: 134_000,
      reasons: [
        {
          code: 'not-heard',
          text: 'Nothing was heard of it for 2 min 14 s.',
          values: { age_ms: 134_000 },
        },
        { code: 'new-here', text: 'It does something new.', values: {} },
      ],
    });
    const { container } = render(<NodeCard node={node} nowMs={T} extraAgeMs={0} />);
    const card = screen.getByRole('article', { name: /node-3/ });
    expect(within(card).getByText(/unreachable · 2 min 14 s/)).toBeInTheDocument();
    const reason = 'Nothing was heard of it for 2 minutes 14 seconds.';
    expect(within(card).getByText(reason)).toBeInTheDocument();
    // A node of a later version says what this page does not know yet.
    expect(within(card).getByText('It does something new.')).toHaveAttribute('lang', 'en');
    expect(within(card).getByText('Last heard 2 min 14 s ago')).toBeInTheDocument();
    expect(within(card).getByText('1,234')).toBeInTheDocument();
    expect(await findings(container)).toEqual([]);
  });

  test('a node that was never heard is listed', () => {
    const node = nodeOf(3, { state: 'unreachable', age_ms: null, last: null, lag: null });
    render(<NodeCard node={node} nowMs={T} extraAgeMs={0} />);
    expect(screen.getByText('Not heard yet')).toBeInTheDocument();
    expect(screen.getByRole('heading', { name: /Node 3/ })).toBeInTheDocument();
  });

  test('the time line is a picture with a table beside it', async () => {
    const samples = append([], viewOf());
    const { container } = render(
      <TimeLine samples={samples} nodes={[1, 2, 3]} faults={[]} isStale={false} />,
    );
    expect(screen.getByRole('img', { name: /Node 2 leads in term 5/ })).toBeInTheDocument();
    expect(screen.getByRole('row', { name: /2 5$/, hidden: true })).toBeInTheDocument();
    expect(await findings(container)).toEqual([]);
  });
});

function forecast(change: Partial<Forecast> = {}): Forecast {
  return {
    effect: 'leader-change',
    text: '',
    stops_cluster: false,
    left: 2,
    all: 3,
    quorum: 2,
    leads: true,
    ...change,
  };
}

function demoNode(effects: DemoNode['effects']): DemoNode {
  return {
    node: 2,
    process: 'running',
    cut_in: false,
    cut_out: false,
    disk_delay_ms: 0,
    web: '',
    effects,
  };
}

describe('faults', () => {
  function show(effects: DemoNode['effects']) {
    const fault = vi.fn();
    const act = { fault, choose: vi.fn(), refused: undefined };
    render(<FaultBar node={demoNode(effects)} act={act} />);
    return fault;
  }

  test('nothing is done before its effect was said', async () => {
    const person = userEvent.setup();
    const fault = show({ kill: forecast() });
    expect(screen.queryByRole('button', { name: 'Pause' })).toBeNull();
    await person.click(screen.getByRole('button', { name: 'Kill' }));
    expect(fault).not.toHaveBeenCalled();
    const dialog = screen.getByRole('dialog', { name: 'Kill: Node 2?' });
    expect(dialog).toHaveAccessibleDescription(/choose a new leader in about 0.3 s/);
    await person.click(within(dialog).getByRole('button', { name: 'Kill: Node 2' }));
    expect(fault).toHaveBeenCalledExactlyOnceWith('kill', 2);
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  test('who would stop everything has to type the name', async () => {
    const person = userEvent.setup();
    const stops = forecast({ effect: 'stops', stops_cluster: true, left: 1 });
    const fault = show({ kill: stops });
    await person.click(screen.getByRole('button', { name: 'Kill' }));
    const confirm = screen.getByRole('button', { name: 'Kill: Node 2' });
    expect(confirm).toBeDisabled();
    fireEvent.submit(confirm.closest('form')!);
    await person.type(screen.getByLabelText(/Everything will stand still/), 'node 1');
    expect(confirm).toBeDisabled();
    await person.clear(screen.getByLabelText(/Everything will stand still/));
    await person.type(screen.getByLabelText(/Everything will stand still/), 'node 2');
    expect(confirm).toBeEnabled();
    expect(fault).not.toHaveBeenCalled();
    await person.click(confirm);
    expect(fault).toHaveBeenCalledOnce();
  });

  const done: FaultRecord = {
    number: 1,
    time_ms: T,
    kind: 'kill',
    node: 2,
    effect: 'leader-change',
    expected: '',
    outcome: {
      is_settled: true,
      done_ms: T,
      leader: 3,
      leader_after_ms: 312,
      ready_after_ms: null,
      gap_ms: 340,
      lost: 0,
      retried: 14,
      text: '',
    },
  };

  test('the stopwatch says when who led, and what was lost', async () => {
    const { container } = render(<Stopwatch faults={[done]} />);
    expect(screen.getByText('0.31')).toBeInTheDocument();
    expect(screen.getByText('until node 3 led')).toBeInTheDocument();
    expect(screen.getByRole('status')).toHaveTextContent('until node 3 led. 0 lost.');
    expect(screen.getByText('14')).toBeInTheDocument();
    expect(await findings(container)).toEqual([]);
  });

  test('a loss is not green', () => {
    const lost = { ...done, outcome: { ...done.outcome, lost: 2 } };
    render(<Stopwatch faults={[lost]} />);
    expect(screen.getByText('lost').parentElement).toHaveAttribute('data-tone', 'bad');
  });

  test('a broken promise is named', () => {
    const base = { checked: 5, violations: 0, holds: true, text: '', age_ms: 100 };
    const broken = {
      ...base,
      id: 'finals' as const,
      holds: false,
      violations: 1,
      text: 'Ballot X has a receipt and is not leaf 7.',
    };
    render(<Invariants all={[{ ...base, id: 'writes' }, broken]} />);
    expect(screen.getByRole('status')).toHaveTextContent('1 promise is broken.');
    expect(screen.getByText(/Ballot X has a receipt/)).toBeInTheDocument();
    expect(screen.getByText('Writes checked: 5')).toBeInTheDocument();
  });
});

describe('events', () => {
  const event = (number: number, change: Partial<ClusterEvent>): ClusterEvent => ({
    number,
    time_ms: T + number,
    kind: 'leader',
    text: `Node ${number} leads.`,
    seen_by: 1,
    node: number,
    sentences: [
      { code: 'node-leads', text: `Node ${number} leads.`, values: { node: number, term: 5 } },
    ],
    ...change,
  });
  const slow = event(2, {
    kind: 'slow',
    text: 'Node 2 is slow. Its last sign of life is 6 s old.',
    sentences: [
      { code: 'node-slow', text: 'Node 2 is slow.', values: { node: 2 } },
      { code: 'late', text: 'Its last sign of life is 6 s old.', values: { age_ms: 6000 } },
    ],
  });
  const events = [event(3, {}), slow];

  test('a filter comes from the address, and what makes no sense is left out', () => {
    expect(filterOf({ kind: 'slow', node: '2', find: 'x', more: 1 })).toEqual({
      kind: 'slow',
      node: 2,
      find: 'x',
    });
    expect(filterOf({ kind: 'bad', node: -1, find: '' })).toEqual({});
  });

  test('only what matches is shown, and a choice is passed on', async () => {
    const onChange = vi.fn();
    const list = (filter: object) => (
      <EventList events={events} nodes={[1, 2, 3]} filter={filter} onChange={onChange} />
    );
    const { container, rerender } = render(list({}));
    expect(screen.getByText('2 events')).toBeInTheDocument();
    await userEvent.selectOptions(screen.getByLabelText('Kind'), 'slow');
    expect(onChange).toHaveBeenCalledWith({ kind: 'slow' });
    rerender(list({ kind: 'slow' }));
    expect(screen.queryByText('Node 3 leads (term 5).')).toBeNull();
    const said = 'Node 2 is slow. Its last sign of life is 6 seconds old.';
    expect(screen.getByText(said)).toBeInTheDocument();
    expect(await findings(container)).toEqual([]);
  });

  test('what is said is in the language of the reader, and found in it', () => {
    const list = (found: readonly ClusterEvent[], find: string) => (
      <EventList events={found} nodes={[]} filter={{ find }} onChange={vi.fn()} />
    );
    const german = () => i18next.changeLanguage('de');
    return german()
      .then(() => {
        const { rerender } = render(list(events, 'langsam'));
        const said = 'Knoten 2 ist langsam. Sein letztes Lebenszeichen ist 6 Sekunden alt.';
        expect(screen.getByText(said)).toBeInTheDocument();
        // An address that somebody has sent may hold English words.
        rerender(list(events, 'is slow'));
        expect(screen.getByText(said)).toBeInTheDocument();
        rerender(list(events, 'führt (Amtszeit 5)'));
        expect(screen.queryByText(said)).toBeNull();
        expect(screen.getByText('Knoten 3 führt (Amtszeit 5).')).toBeInTheDocument();
      })
      .finally(() => i18next.changeLanguage('en'));
  });

  test('an event of another version is told as the node has written it', () => {
    const old = event(4, { text: 'Node 4 has left.', sentences: [] });
    const strange = { code: 'constructor', text: 'Something new.', values: {} };
    const reason = { code: 'new-here', text: 'For a new reason.', values: {} };
    const later = event(5, { text: 'Something new.', sentences: [strange, reason] });
    render(<EventList events={[old, later]} nodes={[]} filter={{}} onChange={vi.fn()} />);
    for (const text of ['Node 4 has left.', 'Something new.', 'For a new reason.']) {
      expect(screen.getByText(text)).toHaveAttribute('lang', 'en');
    }
  });
});

describe('alarms', () => {
  const alarm = (change: object) => ({
    authority: 2,
    code: 'split-view',
    what: 'authorities 1, 3 signed a root of 9 leaves',
    texts: ['vote.example/e/00\n9\n'],
    minutes: T / 60_000,
    times: 1,
    ...change,
  });
  const names = new Map([[2, 'node-2.vote.example']]);

  test('are told by their code, with what the authority itself has said and its proofs', async () => {
    const { container } = render(<Alarms alarms={[alarm({ times: 3 })]} names={names} />);
    expect(screen.getByText(nodes.alarm['split-view'])).toBeInTheDocument();
    expect(screen.getByText(/^authorities 1, 3 signed/)).toHaveAttribute('lang', 'en');
    expect(screen.getByText(/^Noticed by node-2.vote.example, .* · 3 times$/)).toBeInTheDocument();
    expect(screen.getByText('Signed texts that prove it')).toBeInTheDocument();
    expect(await findings(container)).toEqual([]);
  });

  test.each(['new-here', 'constructor', 'a.b', 'alarm:split-view', ''])(
    'of the code "%s", which is none here, are told in their own words, once',
    (code) => {
      render(<Alarms alarms={[alarm({ code, authority: 9, texts: [] })]} names={names} />);
      expect(screen.getByText(/^authorities 1, 3 signed/)).toHaveAttribute('lang', 'en');
      expect(screen.getByText(/^Noticed by 9, /)).toBeInTheDocument();
    },
  );

  test('are the newest ones where there are many, and nothing where there are none', () => {
    const many = Array.from({ length: 20 }, (_, at) => alarm({ what: `w${at}.`, minutes: at }));
    const { container, rerender } = render(<Alarms alarms={many} names={names} />);
    expect(screen.getByText('w19.')).toBeInTheDocument();
    expect(screen.queryByText('w0.')).toBeNull();
    expect(screen.getByText('12 older alarms are not shown.')).toBeInTheDocument();
    rerender(<Alarms alarms={[]} names={names} />);
    expect(container).toBeEmptyDOMElement();
  });
});
