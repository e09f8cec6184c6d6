/** Words of the trustees' page: the same in every language, all of them said. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LANGUAGES, type Language } from '../../src/booth/words.ts';
import { TEXTS } from '../../src/trustee/texts.ts';

const places = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
const english = TEXTS.en;

describe.each(Object.keys(LANGUAGES) as Language[])('%s', (language) => {
  const own = TEXTS[language];
  it('has the same keys and places', () => {
    expect(Object.keys(own)).toEqual(Object.keys(english));
    for (const [key, text] of Object.entries(own)) {
      expect([key, places(text)]).toEqual([key, places(english[key]!)]);
    }
  });
});

it('says all of them, and none that is not there', () => {
  const read = (path: string) => readFileSync(join(import.meta.dirname, '../../src', path), 'utf8');
  const source = read('trustee/page.ts');
  // The top of the page is the booth's.
  expect(read('booth/parts.ts')).toContain("words.say('language')");
  const quoted = new Set([...source.matchAll(/'([a-z][\w.-]+)'/gi)].map(([, key]) => key!));
  expect(Object.keys(english).filter((key) => key !== 'language' && !quoted.has(key))).toEqual([]);
  const said = [...source.matchAll(/words\.say\(\s*'([\w.-]+)'/g)].map(([, key]) => key!);
  expect(said.filter((key) => !(key in english))).toEqual([]);
});
