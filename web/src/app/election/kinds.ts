/** Kinds of entries as nodes name them, and as people read them. */

import { useTranslation } from 'react-i18next';

/** Keys of texts by the nodes' names, in the order in which an election has them. */
const KEYS: Readonly<Record<string, string>> = {
  manifest: 'manifest',
  'roll chunk': 'roll',
  'ceremony message': 'ceremony',
  endorsement: 'endorsement',
  opening: 'open',
  ballot: 'ballot',
  pause: 'pause',
  resumption: 'resume',
  extension: 'extend',
  reset: 'reset',
  'change of the roll': 'rollChange',
  'paper mark': 'paper',
  closing: 'close',
  'decryption share': 'share',
  result: 'result',
  "authority's new key": 'authorityKey',
  unreadable: 'unreadable',
};

export const KINDS: readonly string[] = Object.keys(KEYS);

/** The kind in words; kinds that these texts do not know are shown as they are called. */
export function useKind(): (kind: string) => string {
  const { t } = useTranslation();
  return (kind) => {
    const key = Object.hasOwn(KEYS, kind) ? KEYS[kind] : undefined;
    return key === undefined ? kind : t(`kind.${key}`);
  };
}
