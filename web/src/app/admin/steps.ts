/** Where an election stands on its way, what keeps it there, and the one thing to do next. */

import type { Schemas } from '../api/client.ts';
import { closingOf } from '../election/closing.ts';

type Election = Schemas['Election'];
type CeremonyMessage = Schemas['CeremonyMessage'];

export const STEPS = ['announce', 'roll', 'keys', 'seal', 'vote', 'tally', 'published'] as const;
export type StepName = (typeof STEPS)[number];

export interface Step {
  readonly name: StepName;
  readonly state: 'done' | 'current' | 'later';
}

/** What there is to do, and for whom. */
export type NextAction =
  | { readonly kind: 'import-roll' }
  | { readonly kind: 'wait-ceremony' }
  | { readonly kind: 'seal' }
  | { readonly kind: 'wait-endorsements' }
  | { readonly kind: 'open' }
  | { readonly kind: 'wait-opening'; readonly opens: number }
  | { readonly kind: 'resume' }
  | { readonly kind: 'close' }
  | { readonly kind: 'wait-closing'; readonly closes: number }
  | { readonly kind: 'wait-shares' }
  | { readonly kind: 'announce-result' };

/** How far a trustee is with the ceremony of the latest attempt. */
export interface TrusteeProgress {
  readonly name: string;
  readonly number: number;
  /** Messages of announcement, dealing and confirmation that are there. */
  readonly rounds: readonly [boolean, boolean, boolean];
  readonly hasShared: boolean;
}

/** Rounds of an attempt; attempt a has the numbers 3a + 1 to 3a + 3. */
const ROUNDS = 3;

export function trusteesOf(
  election: Election,
  messages: readonly CeremonyMessage[],
): TrusteeProgress[] {
  const attempt = Math.max(0, ...messages.map(({ round }) => Math.floor((round - 1) / ROUNDS)));
  const names = election.definition?.trustees ?? [];
  return names.map((name, at) => {
    const number = at + 1;
    const has = (round: number) =>
      messages.some((one) => one.trustee === number && one.round === ROUNDS * attempt + round);
    // A sealed manifest holds the keys of a complete ceremony.
    const isDone = election.phase !== 'draft';
    const hasShared = election.phase === 'published' || (election.shares ?? []).includes(number);
    return {
      name,
      number,
      rounds: [isDone || has(1), isDone || has(2), isDone || has(3)],
      hasShared,
    };
  });
}

export interface Standing {
  readonly steps: readonly Step[];
  readonly next: NextAction;
  /** Empty when the next action can be done now. */
  readonly blockers: readonly Schemas['Sentence'][];
}

/**
 * @param rollVoters voters of the imported roll
 * @param nowMs by the node's clock
 */
export function standingOf(
  election: Election,
  rollVoters: number,
  trustees: readonly TrusteeProgress[],
  nowMs: number,
): Standing {
  const hasKeys =
    trustees.length > 0 && trustees.every(({ rounds }) => rounds.every((isThere) => isThere));
  const [next, current] = nextOf(election, rollVoters > 0, hasKeys, nowMs);
  const at = STEPS.indexOf(current);
  const isRollFirst = rollVoters === 0 && hasKeys;
  const steps = STEPS.map((name, place): Step => {
    if (place === at) return { name, state: election.phase === 'published' ? 'done' : 'current' };
    if (isRollFirst && name === 'keys') return { name, state: 'done' };
    return { name, state: place < at ? 'done' : 'later' };
  });
  return { steps, next, blockers: hasBlockers(election) ? election.blockers : [] };
}

/** Before it is sealed the steps themselves say what is missing. */
function hasBlockers({ phase }: Election): boolean {
  return phase === 'setup' || phase === 'paused';
}

function nextOf(
  election: Election,
  hasRoll: boolean,
  hasKeys: boolean,
  nowMs: number,
): [NextAction, StepName] {
  const { phase, blockers, definition } = election;
  const minute = nowMs / 60_000;
  const { opens = null } = definition ?? {};
  const closes = closingOf(election);
  switch (phase) {
    case 'draft':
      if (!hasRoll) return [{ kind: 'import-roll' }, 'roll'];
      if (!hasKeys) return [{ kind: 'wait-ceremony' }, 'keys'];
      return [{ kind: 'seal' }, 'seal'];
    case 'setup':
      if (blockers.length > 0) return [{ kind: 'wait-endorsements' }, 'seal'];
      if (opens !== null && opens > minute) return [{ kind: 'wait-opening', opens }, 'vote'];
      return [{ kind: 'open' }, 'vote'];
    case 'paused':
      if (closes === null || closes > minute) return [{ kind: 'resume' }, 'vote'];
      return [{ kind: 'close' }, 'vote'];
    case 'open':
      if (closes !== null && closes > minute) return [{ kind: 'wait-closing', closes }, 'vote'];
      return [{ kind: 'close' }, 'vote'];
    case 'closed':
      return [{ kind: 'wait-shares' }, 'tally'];
    case 'published':
      return [{ kind: 'announce-result' }, 'published'];
  }
}
