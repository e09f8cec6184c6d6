/** From an election's manifest to what makes its ballots. */

import type { Manifest } from '../election/manifest.ts';

/** What a worker's `prepare` message needs of a manifest. */
export function preparation({ definition, fingerprint, jointKey }: Manifest, group: number) {
  return {
    kind: 'prepare' as const,
    fingerprint,
    electionKey: jointKey,
    rules: definition.contests.map(({ rule }) => rule),
    groups: definition.contests.map(({ groups }) => groups),
    group,
    openPoll: definition.openPoll,
  };
}
