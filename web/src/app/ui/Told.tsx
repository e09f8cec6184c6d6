import type { i18n as Texts } from 'i18next';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client.ts';
import { formatsFor } from './format.ts';

type Family = 'alarm' | 'blocker' | 'event' | 'reason' | 'problem' | 'refusal';
type Values = Schemas['Sentence']['values'];

interface Said {
  readonly family: Family;
  readonly code: string;
  readonly values?: Values;
}

interface Props extends Said {
  /** As the node wrote it. */
  readonly text: string;
}

/** Numbers as the language writes them, spans (`…_ms`) in words. */
function placesOf(values: Values, language: string): Record<string, string> {
  const format = formatsFor(language);
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      if (typeof value === 'string') return [name, value];
      return name.endsWith('_ms')
        ? [name.slice(0, -3), format.span(value)]
        : [name, format.number(value)];
    }),
  );
}

/** Whether a code has a sentence here. A code may come from anybody and be anything. */
export function isKnown(i18n: Texts, family: Family, code: string): boolean {
  return /^[a-z]+(?:-[a-z]+)*$/.test(code) && i18n.exists(`${family}.${code}`, { ns: 'nodes' });
}

/** The sentence in the reader's language; `undefined` where the code is new. */
export function tell(i18n: Texts, { family, code, values = {} }: Said): string | undefined {
  if (!isKnown(i18n, family, code)) return undefined;
  return i18n.t(`${family}.${code}`, { ns: 'nodes', ...placesOf(values, i18n.language) });
}

/** A sentence of a node in the reader's language; as the node wrote it where the code is new. */
export function Told({ text, ...said }: Props) {
  const { i18n } = useTranslation('nodes', { useSuspense: false });
  const told = tell(i18n, said);
  if (told !== undefined) return <>{told}</>;
  return (
    <span lang="en" dir="ltr">
      {text}
    </span>
  );
}
