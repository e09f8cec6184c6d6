/** Words of the trustee's page: all languages are in the one file that it is. */

import nodesAr from '../app/i18n/nodes/ar.ts';
import nodesDe from '../app/i18n/nodes/de.ts';
import nodesEn from '../app/i18n/nodes/en.ts';
import nodesEs from '../app/i18n/nodes/es.ts';
import nodesFr from '../app/i18n/nodes/fr.ts';
import type { NodeError } from '../booth/nodeError.ts';
import type { Language, Texts } from '../booth/words.ts';
import ar from './texts/ar.json' with { type: 'json' };
import de from './texts/de.json' with { type: 'json' };
import en from './texts/en.json' with { type: 'json' };
import es from './texts/es.json' with { type: 'json' };
import fr from './texts/fr.json' with { type: 'json' };

export const TEXTS: Record<Language, Texts> = { en, de, es, fr, ar };

const NODES: Record<Language, { readonly problem: Texts; readonly refusal: Texts }> = {
  en: nodesEn,
  de: nodesDe,
  es: nodesEs,
  fr: nodesFr,
  ar: nodesAr,
};

/** A node's refusal in the reader's language; as the node wrote it where its code is new. */
export function nodeSays(language: Language, { code, message }: NodeError): string {
  const { problem, refusal } = NODES[language];
  const known = [problem, refusal].find((texts) => Object.hasOwn(texts, code));
  return known?.[code] ?? message;
}
