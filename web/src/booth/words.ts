/** Words in one of five languages. */

import { LANGUAGES, type Language } from '../languages.ts';

export { LANGUAGES, type Language };
export type Texts = Readonly<Record<string, string>>;

function isLanguage(text: string): text is Language {
  return text in LANGUAGES;
}

/** The first of a person's languages that we have; English otherwise. */
export function preferred(wanted: readonly string[]): Language {
  const known = wanted.map((tag) => tag.toLowerCase().split('-')[0]!).find(isLanguage);
  return known ?? 'en';
}

/** How the viewer's own region writes numbers and dates, as far as it is of this language. */
function localeOf(language: Language): string {
  const own = globalThis.navigator?.languages ?? [];
  return own.find((tag) => tag.split('-')[0] === language) ?? language;
}

/** The words of one language. */
export class Words {
  readonly language: Language;
  readonly #texts: Texts;
  readonly #numbers: Intl.NumberFormat;
  readonly #locale: string;

  constructor(language: Language, texts: Texts) {
    this.language = language;
    this.#texts = texts;
    this.#locale = localeOf(language);
    this.#numbers = new Intl.NumberFormat(this.#locale);
  }

  get direction(): 'ltr' | 'rtl' {
    return this.language === 'ar' ? 'rtl' : 'ltr';
  }

  /** A sentence with its places filled in. */
  say(key: string, places: Readonly<Record<string, string | number>> = {}): string {
    const text = this.#texts[key] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = places[name];
      if (value === undefined) return whole;
      return typeof value === 'number' ? this.#numbers.format(value) : value;
    });
  }

  has(key: string): boolean {
    return key in this.#texts;
  }

  /** A moment in minutes since 1970 UTC, in the viewer's own zone, which is named. */
  moment(minutes: number): string {
    const format: Intl.DateTimeFormatOptions = {
      dateStyle: 'long',
      timeStyle: 'short',
    };
    const shown = new Intl.DateTimeFormat(this.#locale, format).format(minutes * 60_000);
    return `${shown} (${Intl.DateTimeFormat().resolvedOptions().timeZone})`;
  }
}
