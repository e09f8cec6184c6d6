// @vitest-environment jsdom

/** The calculations behind the pages. */

import { describe, expect, it } from 'vitest';
import { safePath } from '../../src/app/account/LoginPage.tsx';
import { curveOf, type Line, roundUp, stepPath, thin } from '../../src/app/election/curve.ts';
import { readLedgerSearch } from '../../src/app/election/ledgerSearch.ts';
import { filterLines, LedgerStore, type LineSource } from '../../src/app/election/ledgerStore.ts';
import { limitsOf } from '../../src/app/election/limits.ts';
import { resultCsv, rowsOf } from '../../src/app/election/results.ts';
import { findInChunks } from '../../src/app/election/rollSearch.ts';
import { tidyTracker } from '../../src/app/election/TrackerForm.tsx';
import type { Election } from '../../src/app/election/useElection.ts';
import { formatsFor } from '../../src/app/ui/format.ts';
import { csvCell } from '../../src/app/ui/save.ts';
import { fromHex } from '../../src/crypto/bytes.ts';

function line(entry: number, more: Partial<Line> = {}): Line {
  return {
    entry,
    kind: 'ballot',
    stamp: 100,
    leaf: entry - 1,
    tracker: null,
    refused: null,
    ...more,
  };
}

describe('the way back after signing in', () => {
  it.each([
    ['/admin/e/1?x=2', '/admin/e/1?x=2'],
    ['//evil.example', '/admin'],
    ['/\\evil.example', '/admin'],
    ['https://evil.example', '/admin'],
    [undefined, '/admin'],
  ])('%s leads to %s', (path, expected) => {
    expect(safePath(path)).toBe(expected);
  });
});

describe('tracking codes', () => {
  it.each([
    ['abcd efgh jkmn pqrs tvwx', 'ABCD-EFGH-JKMN-PQRS-TVWX'],
    ['OIL0-0000-0000-0000-0000', '0110-0000-0000-0000-0000'],
    ['ABCD-EFGH-JKMN-PQRS-TVW', undefined],
    ['ABCD-EFGH-JKMN-PQRS-TVWU', undefined],
    ['', undefined],
  ])('%s is %s', (typed, expected) => {
    expect(tidyTracker(typed)).toBe(expected);
  });
});

describe('the curve', () => {
  it('counts ballots that are leaves, by minute', () => {
    const lines = [
      line(1, { kind: 'open' }),
      line(2, { stamp: 100 }),
      line(3, { stamp: 100 }),
      line(4, { stamp: 103, leaf: null, refused: 'x' }),
      line(5, { stamp: 102, leaf: 3 }),
    ];
    expect(curveOf(lines)).toEqual([
      { minute: 100, ballots: 2 },
      { minute: 102, ballots: 3 },
    ]);
    expect(curveOf([])).toEqual([]);
  });

  it('takes sampled lines by their leaves', () => {
    const lines = [line(11, { stamp: 5 }), line(21, { stamp: 6 }), line(31, { stamp: 9 })];
    expect(curveOf(lines, 10).map(({ ballots }) => ballots)).toEqual([1, 11, 21]);
  });

  it('is drawn as steps inside its box', () => {
    const points = [
      { minute: 0, ballots: 1 },
      { minute: 10, ballots: 10 },
    ];
    expect(stepPath(points, 10, 10, 100, 50)).toBe('M0 50H0.0V45.0H100.0V0.0H100');
  });

  it.each([
    [0, 1],
    [1, 1],
    [4, 4],
    [6, 10],
    [11, 20],
    [21, 50],
    [100_000, 100_000],
  ])('has a scale for %i that ends at %i', (value, top) => {
    expect(roundUp(value)).toBe(top);
  });

  it('is thinned to its ends', () => {
    const points = Array.from({ length: 100 }, (_, minute) => ({ minute, ballots: minute }));
    const few = thin(points, 5);
    expect(few).toHaveLength(5);
    expect([few[0]?.minute, few[4]?.minute]).toEqual([0, 99]);
  });
});

describe('the ledger', () => {
  const lines = [
    line(1, { kind: 'manifest' }),
    line(2, { tracker: 'ABCD-0000' }),
    line(3, { tracker: 'ABXX-0000', leaf: null, refused: 'not-on-roll' }),
  ];

  it.each([
    [{}, [2, 1, 0]],
    [{ kind: 'ballot' }, [2, 1]],
    [{ q: 'ab' }, [2, 1]],
    [{ q: 'abcd' }, [1]],
    [{ q: '#3' }, [2]],
    [{ refused: true }, [2]],
    [{ q: 'zz' }, []],
  ])('filtered by %o', (filter, expected) => {
    expect(filterLines(lines, filter)).toEqual(expected);
  });

  it('keeps only what is a filter in the address', () => {
    expect(readLedgerSearch({ q: 12, kind: '', refused: 'yes', entry: 4.7, more: 1 })).toEqual({
      q: '12',
      entry: 4,
    });
  });

  it('loads every page once, then follows; doubles are left out', async () => {
    const asked: number[] = [];
    let follow: { after: number; take: (lines: readonly Line[]) => void } | undefined;
    const source: LineSource = {
      page: async (from) => {
        asked.push(from);
        const next = from === 1 ? 3 : null;
        return { lines: [line(from), line(from + 1)], next, last: 4 };
      },
      follow: (after, take) => {
        follow = { after, take };
        return () => {
          follow = undefined;
        };
      },
    };
    const store = new LedgerStore(source);
    const stop = store.watch(() => {});
    await store.load();
    while (!store.snapshot().isComplete) await Promise.resolve();
    expect(asked).toEqual([1, 3]);
    expect(follow?.after).toBe(4);
    follow?.take([line(4), line(5)]);
    expect(store.snapshot().lines.map(({ entry }) => entry)).toEqual([1, 2, 3, 4, 5]);
    stop();
    expect(follow).toBeUndefined();
  });

  it('keeps what it has when a page cannot be had', async () => {
    let fails = false;
    const source: LineSource = {
      page: async (from) => {
        if (fails) throw new Error('no answer');
        fails = true;
        return { lines: [line(from)], next: from + 1, last: 2 };
      },
      follow: () => () => {},
    };
    const store = new LedgerStore(source);
    store.watch(() => {});
    while (store.snapshot().error === undefined) await Promise.resolve();
    expect(store.snapshot()).toMatchObject({ isComplete: false, last: 2 });
    expect(store.snapshot().lines).toHaveLength(1);
  });
});

describe('the roll', () => {
  it('finds a key in ascending chunks, with its weight', () => {
    const voter = (digit: string, weight: number) =>
      `${digit.repeat(64)}${weight.toString(16).padStart(8, '0')}00`;
    const chunk = (number: string, ...voters: string[]) =>
      fromHex(`000${number}000${voters.length}${voters.join('')}`) ?? new Uint8Array();
    const chunks = [
      chunk('0', voter('1', 1), voter('3', 7), voter('5', 2)),
      chunk('1', voter('9', 4)),
    ];
    const find = (digit: string) =>
      findInChunks(chunks, fromHex(digit.repeat(64)) ?? new Uint8Array());
    expect(['1', '3', '5', '9'].map(find)).toEqual([1, 7, 2, 4]);
    expect(['0', '2', '4', '6', 'a'].map(find)).toEqual(Array(5).fill(undefined));
  });
});

const CONTESTS = [
  {
    title: 'Chair',
    kind: 'one' as const,
    min: 1,
    max: 1,
    highest: 1,
    blank: true,
    groups: [],
    candidates: [],
    options: ['=Ada', 'Grace, H.', '(blank)'],
    seats: 1,
    quorum_percent: 0,
    majority: 'relative' as const,
    tie: 'lot' as const,
  },
];

describe('results', () => {
  it('are rows with the best option and the blank one told apart', () => {
    const [rows] = rowsOf(CONTESTS, [[3, 5, 7]]);
    expect(rows).toMatchObject({ best: 5, rows: [{ votes: 3 }, { votes: 5 }, { isBlank: true }] });
  });

  it('are written so that no spreadsheet runs them', () => {
    const csv = resultCsv(rowsOf(CONTESTS, [[3, 5, 0]]), 8);
    expect(csv.split('\r\n').slice(0, 3)).toEqual([
      'contest,option,votes,share',
      "Chair,'=Ada,3,0.375",
      'Chair,"Grace, H.",5,0.625',
    ]);
    expect(csvCell(-3)).toBe('-3');
  });
});

describe('limits', () => {
  const election = (definition: object, more: object = {}) =>
    ({
      definition: { trustees: ['a', 'b', 'c'], threshold: 2, ...definition },
      ...more,
    }) as Election;
  const keys = (given: Election) => limitsOf(given).map(({ key }) => key);

  it('follow from the definition and the nodes', () => {
    const authorities = [1, 2, 3, 4].map((index) => ({ index, vkey: '' }));
    const full = election(
      { revote: 'off', issuer: 'cluster', minimum_ballots: 2, test: true },
      { authorities, quorum: 3 },
    );
    expect(keys(full)).toEqual([
      'test',
      'trustees',
      'lost',
      'authorities',
      'issuerCluster',
      'revoteOff',
      'few',
    ]);
    expect(limitsOf(full).find(({ key }) => key === 'authorities')?.values).toEqual({
      count: 4,
      quorum: 3,
      faulty: 1,
    });
  });

  it('say that one trustee is enough, and that three nodes stand no lying one', () => {
    const authorities = [1, 2, 3].map((index) => ({ index, vkey: '' }));
    const rules = { threshold: 1, revote: 'last-counts', issuer: 'separate', minimum_ballots: 10 };
    expect(keys(election(rules, { authorities, quorum: 2 }))).toEqual([
      'oneTrustee',
      'lost',
      'authoritiesNone',
      'issuerSeparate',
      'revoteOn',
    ]);
    expect(limitsOf({} as Election)).toEqual([]);
  });
});

describe('spans', () => {
  it.each([
    [0, '0 seconds'],
    [41_000, '41 seconds'],
    [60_000, '1 minute'],
    [3_700_000, '1 hour 1 minute'],
    [90_061_000, '1 day 1 hour'],
    [-5, '0 seconds'],
  ])('%i ms are %s', (ms, expected) => {
    expect(formatsFor('en').span(ms)).toBe(expected);
  });
});
