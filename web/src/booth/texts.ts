/** The booth's words, one small file for each language; loaded when it is asked for. */

import { type Language, type Texts, Words } from './words.ts';

const FILES: Record<Language, () => Promise<{ readonly default: Texts }>> = {
  en: () => import('./texts/en.json', { with: { type: 'json' } }),
  de: () => import('./texts/de.json', { with: { type: 'json' } }),
  es: () => import('./texts/es.json', { with: { type: 'json' } }),
  fr: () => import('./texts/fr.json', { with: { type: 'json' } }),
  ar: () => import('./texts/ar.json', { with: { type: 'json' } }),
};

/** The words of a language. */
export async function loadWords(language: Language): Promise<Words> {
  return new Words(language, (await FILES[language]()).default);
}

/**
 * Asks for the other languages while there is time: later this node may be away, and its pages may
 * take code from no other. One that does not come is asked for again when it is chosen.
 */
export async function warmWords(): Promise<void> {
  for (const load of Object.values(FILES)) await load().catch(() => undefined);
}
