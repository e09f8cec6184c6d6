/** What this election does not promise, out of its own definition. */

import type { Election } from './useElection.ts';

export interface Limit {
  /** Key of the text below `limit`. */
  readonly key: string;
  readonly values?: Record<string, string | number>;
}

/** Sentences that follow from the manifest; general ones come last. */
export function limitsOf({ definition, authorities, quorum }: Election): Limit[] {
  if (definition == null) return [];
  const { trustees, threshold, revote, issuer } = definition;
  const count = authorities?.length ?? 0;
  const limits: Limit[] = [];
  if (definition.test) limits.push({ key: 'test' });
  if (definition.open_poll) limits.push({ key: 'openPoll' });
  else limits.push(...secrecyLimits(trustees.length, threshold));
  if (count > 0 && quorum != null) {
    const faulty = 2 * quorum - count - 1;
    limits.push({
      key: faulty > 0 ? 'authorities' : 'authoritiesNone',
      values: { count, quorum, faulty },
    });
  }
  limits.push({ key: issuer === 'cluster' ? 'issuerCluster' : 'issuerSeparate' });
  limits.push({ key: revote === 'off' ? 'revoteOff' : 'revoteOn' });
  if (definition.minimum_ballots <= 5) {
    limits.push({ key: 'few', values: { count: definition.minimum_ballots } });
  }
  return limits;
}

/** What rests on the trustees. */
function secrecyLimits(trustees: number, threshold: number): Limit[] {
  return [
    threshold === 1
      ? { key: 'oneTrustee', values: { trustees } }
      : { key: 'trustees', values: { threshold, trustees } },
    { key: 'lost', values: { count: trustees - threshold + 1 } },
  ];
}

/** True of every election here. */
export const GENERAL_LIMITS: readonly Limit[] = [
  'device',
  'coercion',
  'public',
  'receipt',
  'future',
].map((key) => ({ key }));
