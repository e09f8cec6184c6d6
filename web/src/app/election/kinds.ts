import { useTranslation } from 'react-i18next';

/** Kinds of entries, in the order in which an election has them. */
export const KINDS = [
  'manifest',
  'roll',
  'ceremony',
  'endorsement',
  'open',
  'ballot',
  'close',
  'share',
  'result',
] as const;

/** The kind in words; kinds that these texts do not know are shown as they are called. */
export function useKind(): (kind: string) => string {
  const { t } = useTranslation();
  return (kind) => t(`kind.${kind}`, { defaultValue: kind });
}
