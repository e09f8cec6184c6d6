/** Texts: the same keys in all languages, none missing that a page uses, none left that nobody does. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fillPlurals } from '../../src/app/i18n/plurals.ts';

const APP = fileURLToPath(new URL('../../src/app', import.meta.url));
/** Languages by namespace. */
const LANGUAGES = {
  app: ['en', 'de', 'es', 'fr', 'ar'],
  admin: ['en', 'de', 'es', 'fr', 'ar'],
  nodes: ['en', 'de', 'es', 'fr', 'ar'],
} as const;
const NAMESPACES = ['app', 'admin', 'nodes'] as const;

async function texts(namespace: string, language: string): Promise<Map<string, string>> {
  const path = join(APP, 'i18n', namespace, `${language}.ts`);
  const module = (await import(path)) as { default: object };
  return flatten(module.default);
}

function flatten(texts: object): Map<string, string> {
  const found = new Map<string, string>();
  const walk = (value: object, at: string) => {
    for (const [key, below] of Object.entries(value)) {
      const path = at === '' ? key : `${at}.${key}`;
      if (typeof below === 'string') found.set(path, below);
      else walk(below as object, path);
    }
  };
  walk(texts, '');
  return found;
}

/** Without the endings of plurals, of which languages have different ones. */
function withoutPlural(key: string): string {
  return key.replace(/_(zero|one|two|few|many|other)$/, '');
}

function variables(text: string): string[] {
  return [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name as string).sort();
}

function sources(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (name === 'i18n' || name === 'cluster') return [];
    if (statSync(path).isDirectory()) return sources(path);
    return /\.tsx?$/.test(name) ? [path] : [];
  });
}

function rustSources(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return rustSources(path);
    return name.endsWith('.rs') ? [readFileSync(path, 'utf8')] : [];
  });
}

describe('what nodes say', () => {
  it('is known for every code of a refusal', async () => {
    const spec = readFileSync(new URL('../../../spec/election.md', import.meta.url), 'utf8');
    const [, table = ''] = spec.split('## Refusal');
    const codes = [...(table.split('## ')[0] ?? '').matchAll(/^\| (`[^|]+) \|/gm)].flatMap(
      ([, cell = '']) => [...cell.matchAll(/`([a-z-]+)`/g)].map(([, code]) => code as string),
    );
    expect(codes.length).toBeGreaterThan(30);
    const known = await texts('nodes', 'en');
    expect(codes.filter((code) => !known.has(`refusal.${code}`))).toEqual([]);
  });

  it('is known for every code that the gateway gives', async () => {
    const gateway = fileURLToPath(new URL('../../../crates/gateway/src', import.meta.url));
    const known = await texts('nodes', 'en');
    const missing = rustSources(gateway).flatMap((source) =>
      [
        ...source.matchAll(
          /Sentence::new\(\s*"([a-z-]+)"|note\(\s*"([a-z-]+)",\s*(?:text|"|format)/g,
        ),
      ]
        .map(([, sentence, reason]) => sentence ?? reason ?? '')
        .filter((code) => !['blocker', 'reason', 'event'].some((of) => known.has(`${of}.${code}`))),
    );
    expect(missing).toEqual([]);
    // By the status before them, or as one of a pair that is made into a problem.
    const problems = rustSources(gateway).flatMap((source) =>
      [...source.matchAll(/StatusCode::\w+,\s*"([a-z-]+)"|NoApproval::\w+ => \("([a-z-]+)"/g)].map(
        ([, one, other]) => (one ?? other) as string,
      ),
    );
    expect(new Set(problems).size).toBeGreaterThan(25);
    expect(problems).toContain('overloaded');
    // A page never sees these: programs upgrade feeds.
    const own = problems.filter((code) => code !== 'feed-upgrade');
    expect(own.filter((code) => !known.has(`problem.${code}`))).toEqual([]);
  });
});

describe('what is said of events and alarms', () => {
  const read = (path: string) =>
    readFileSync(new URL(`../../../crates/${path}`, import.meta.url), 'utf8');

  it('is known for every event that a node notes', async () => {
    const judge = read('gateway/src/life/judge.rs');
    const [, made = ''] = judge.split('pub(crate) fn changes(');
    const [changes = ''] = made.split('#[cfg(test)]');
    const codes = [...changes.matchAll(/Sentence::new\("([a-z-]+)"/g)].map(([, code]) => code);
    expect(codes.sort()).toEqual(Object.keys(await family('event')).sort());
  });

  it('is known for every code of an alarm', async () => {
    const source = read('authority/src/alarm.rs');
    const codes = [...source.matchAll(/pub const \w+: &str = "([a-z-]+)"/g)].map(
      ([, code]) => code,
    );
    expect(codes.sort()).toEqual(Object.keys(await family('alarm')).sort());
  });

  async function family(name: 'event' | 'alarm'): Promise<object> {
    const { default: english } = await import('../../src/app/i18n/nodes/en.ts');
    return english[name];
  }
});

describe.each(NAMESPACES)('texts of %s', (namespace) => {
  it.each(LANGUAGES[namespace])(
    'in %s have the keys and variables of English',
    async (language) => {
      const english = await texts(namespace, 'en');
      const own = await texts(namespace, language);
      const keys = (all: Map<string, string>) =>
        [...new Set([...all.keys()].map(withoutPlural))].sort();
      expect(keys(own)).toEqual(keys(english));
      for (const [key, text] of own) {
        const like = english.get(key) ?? english.get(`${withoutPlural(key)}_other`) ?? '';
        const extra = variables(text).filter((name) => !variables(like).includes(name));
        expect(extra, key).toEqual([]);
        expect(text.trim(), key).not.toBe('');
      }
    },
  );

  it.each(LANGUAGES[namespace])(
    'in %s have every plural that the language has',
    async (language) => {
      const own = await texts(namespace, language);
      const needed = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
      const filled = flatten(fillPlurals(Object.fromEntries(own), language));
      const counted = [...own.keys()].filter((key) => key.endsWith('_other')).map(withoutPlural);
      for (const key of counted) {
        for (const category of needed) expect(filled.has(`${key}_${category}`), key).toBe(true);
        if (language !== 'ar') expect(own.has(`${key}_one`), key).toBe(true);
      }
    },
  );

  it('are all there that the pages ask for', async () => {
    const known = new Set([...(await texts(namespace, 'en')).keys()].map(withoutPlural));
    const prefixes = [...known].map((key) => `${key}.`);
    const missing: string[] = [];
    for (const path of sources(APP)) {
      const source = readFileSync(path, 'utf8');
      const [, asked = 'app'] = /useTranslation\('(\w+)'\)/.exec(source) ?? [];
      if (asked !== namespace) continue;
      for (const [, key] of source.matchAll(/\bt\(\s*'([\w.-]+)'/g)) {
        if (!known.has(key as string)) missing.push(`${path}: ${key}`);
      }
      for (const [, start] of source.matchAll(/\bt\(\s*`([\w.-]+)\./g)) {
        if (!prefixes.some((prefix) => prefix.startsWith(`${start}.`))) {
          missing.push(`${path}: ${start}.…`);
        }
      }
    }
    expect(missing).toEqual([]);
  });
});
