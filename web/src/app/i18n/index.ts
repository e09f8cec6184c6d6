/**
 * Texts in five languages. A language is loaded when it is chosen, a namespace when a page needs
 * it: `app` is everywhere, `admin` in the administration, `cluster` in the dashboard, `nodes` where a node has said something.
 */

import i18next, { type BackendModule } from 'i18next';
import { initReactI18next } from 'react-i18next';
import { LANGUAGES, type Language } from '../../languages.ts';
import { fillPlurals, type Texts } from './plurals.ts';

export { LANGUAGES, type Language };

const KEY = 'quorate.language';

const files = import.meta.glob<{ default: object }>([
  './app/*.ts',
  './admin/*.ts',
  './nodes/*.ts',
  '../cluster/texts/*.ts',
]);

function pathOf(language: string, namespace: string): string {
  return namespace === 'cluster'
    ? `../cluster/texts/${language}.ts`
    : `./${namespace}/${language}.ts`;
}

const backend: BackendModule = {
  type: 'backend',
  init: () => undefined,
  read: (language, namespace, done) => {
    const load = files[pathOf(language, namespace)];
    if (load === undefined) {
      done(null, {});
      return;
    }
    load().then(
      (module) => done(null, fillPlurals(module.default as Texts, language)),
      (error: unknown) => done(error as Error, null),
    );
  },
};

export function isLanguage(text: string | null | undefined): text is Language {
  return text !== null && text !== undefined && Object.hasOwn(LANGUAGES, text);
}

/** What was chosen before, else the first of the browser's languages that there is. */
function firstLanguage(): Language {
  const chosen = localStorage.getItem(KEY);
  if (isLanguage(chosen)) return chosen;
  return navigator.languages.map((tag) => tag.slice(0, 2)).find(isLanguage) ?? 'en';
}

export function directionOf(language: string): 'ltr' | 'rtl' {
  return language === 'ar' ? 'rtl' : 'ltr';
}

function adorn(language: string): void {
  document.documentElement.lang = language;
  document.documentElement.dir = directionOf(language);
}

export async function startTexts(language: Language = firstLanguage()): Promise<void> {
  i18next.on('languageChanged', adorn);
  await i18next
    .use(backend)
    .use(initReactI18next)
    .init({
      lng: language,
      fallbackLng: 'en',
      supportedLngs: Object.keys(LANGUAGES),
      ns: ['app'],
      defaultNS: 'app',
      load: 'languageOnly',
      interpolation: { escapeValue: false },
      returnNull: false,
    });
  adorn(language);
}

export async function chooseLanguage(language: Language): Promise<void> {
  localStorage.setItem(KEY, language);
  await i18next.changeLanguage(language);
}
