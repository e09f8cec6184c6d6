import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client.ts';
import { formatsFor } from './format.ts';

type Family = 'blocker' | 'reason' | 'problem' | 'refusal';

interface Props {
  readonly family: Family;
  readonly code: string;
  /** As the node wrote it. */
  readonly text: string;
  readonly values?: Schemas['Sentence']['values'];
}

/** Numbers as the language writes them, spans (`…_ms`) in words. */
function placesOf(values: Schemas['Sentence']['values'], language: string): Record<string, string> {
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

/** A sentence of a node in the reader's language; as the node wrote it where the code is new. */
export function Told({ family, code, text, values = {} }: Props) {
  const { t, i18n } = useTranslation('nodes', { useSuspense: false });
  const key = `${family}.${code}`;
  if (!i18n.exists(key, { ns: 'nodes' })) {
    return (
      <span lang="en" dir="ltr">
        {text}
      </span>
    );
  }
  return <>{t(key, placesOf(values, i18n.language))}</>;
}
