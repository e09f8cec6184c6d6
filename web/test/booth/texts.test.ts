/** Words: every language has all of them, with the same places to fill in; every key is used. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadWords } from '../../src/booth/texts.ts';
import { LANGUAGES, type Language, preferred } from '../../src/booth/words.ts';

const folder = join(import.meta.dirname, '../../src/booth');
const languages = Object.keys(LANGUAGES) as Language[];
const read = (language: string): Record<string, string> =>
  JSON.parse(readFileSync(join(folder, 'texts', `${language}.json`), 'utf8'));
const english = read('en');
const places = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

it('has one file for each language', () => {
  const files = readdirSync(join(folder, 'texts')).sort();
  expect(files).toEqual(languages.map((language) => `${language}.json`).sort());
});

describe.each(languages)('%s', (language) => {
  const own = read(language);
  it('has the same keys in the same order', () => {
    expect(Object.keys(own)).toEqual(Object.keys(english));
  });
  it('has the same places in each sentence', () => {
    const found = Object.fromEntries(Object.entries(own).map(([key, text]) => [key, places(text)]));
    const wanted = Object.fromEntries(
      Object.entries(english).map(([key, text]) => [key, places(text)]),
    );
    expect(found).toEqual(wanted);
  });
  it('has no empty and no untranslated sentence', () => {
    const same = Object.entries(own).filter(([key, text]) => text === english[key]);
    const allowed = new Set([
      'step.code',
      'receipt.size',
      'choices.oneByOne',
      'question.place',
      'receipt.details',
    ]);
    const left = language === 'en' ? [] : same.filter(([key]) => !allowed.has(key));
    expect(left).toEqual([]);
    expect(Object.values(own).filter((text) => text.trim() === '')).toEqual([]);
  });
});

it('has no key that nobody says, and says none that is not there', () => {
  const sources = ['.', 'views']
    .flatMap((part) => readdirSync(join(folder, part)).map((name) => join(folder, part, name)))
    .filter((path) => path.endsWith('.ts'))
    .concat(join(folder, '../crypto/code.ts'))
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
  const quoted = new Set([...sources.matchAll(/'([a-z][\w.-]+)'/gi)].map(([, key]) => key!));
  const built = [...sources.matchAll(/[`]([a-z]+)\.\$\{/g)].map(([, prefix]) => prefix!);
  const suffixed = ['title', 'text', 'more', 'group'];
  const isSaid = (key: string): boolean => {
    const [first, ...rest] = key.split('.');
    const stem =
      rest.length > 0 && suffixed.includes(rest.at(-1)!) ? key.slice(0, key.lastIndexOf('.')) : key;
    return quoted.has(key) || quoted.has(stem) || built.includes(first!);
  };
  expect(Object.keys(english).filter((key) => !isSaid(key))).toEqual([]);
  const said = [...sources.matchAll(/words\.say\(\s*'([\w.-]+)'/g)].map(([, key]) => key!);
  expect(said.filter((key) => !(key in english))).toEqual([]);
});

it('picks the first language that a person wants and we have', () => {
  expect(preferred(['it-IT', 'fr-CA', 'de'])).toBe('fr');
  expect(preferred(['ja'])).toBe('en');
});

it('fills in places and knows the direction', async () => {
  const words = await loadWords('de');
  expect(words.say('count.upTo', { n: 2, max: 1000 })).toBe('2 von bis zu 1.000 gewählt');
  expect(words.direction).toBe('ltr');
  expect((await loadWords('ar')).direction).toBe('rtl');
});
