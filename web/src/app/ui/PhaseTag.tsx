import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client.ts';
import { Tag, type Tone } from './ui.tsx';

export type PhaseName = Schemas['ElectionSummary']['phase'];

const TONES: Record<PhaseName, Tone> = {
  draft: 'plain',
  setup: 'info',
  open: 'good',
  paused: 'warn',
  closed: 'warn',
  published: 'accent',
};

/** Where an election stands, in words. */
export function PhaseTag({ phase }: { phase: PhaseName }) {
  const { t } = useTranslation();
  return <Tag tone={TONES[phase]}>{t(`phase.${phase}`)}</Tag>;
}
