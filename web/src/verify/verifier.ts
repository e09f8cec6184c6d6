/**
 * Recomputes a whole election from its archive. Nothing in an archive is believed; whose
 * cosignatures count is decided by the trust file, which must come from elsewhere.
 */

import { type Bytes, equal, LayoutError } from '../crypto/bytes.ts';
import { readEntry } from '../election/entry.ts';
import { type Manifest, originOf, policyOf, readManifest } from '../election/manifest.ts';
import { decisionsOf } from '../election/result.ts';
import { Successions } from '../election/succession.ts';
import {
  covers,
  type Policy,
  PolicyError,
  QuorumError,
  quorumOf,
  signersOf,
  verifyFinal,
} from '../ledger/policy.ts';
import { TreeHead } from '../ledger/tree.ts';
import { Archive, ArchiveError, ForeignArchiveError } from './archive.ts';
import { Fold, type Refused } from './fold.ts';
import {
  allChecks,
  type Finding,
  factsOf,
  makeReport,
  type Report,
  STEP,
  type VerdictName,
} from './report.ts';
import type { Source } from './source.ts';

export interface Progress {
  readonly done: number;
  readonly total: number;
}

/** Leaves between two reports of progress. */
const PROGRESS_STEP = 256;

type Made = Map<number, { finding: Finding; detail: string }>;

export async function verify(
  source: Source,
  trust: Policy | undefined,
  progress: (progress: Progress) => void = () => {},
): Promise<Report> {
  let archive: Archive;
  try {
    archive = await Archive.open(source);
  } catch (error) {
    return unreadable(error);
  }
  return new Run(archive, trust).finish(progress);
}

function unreadable(error: unknown): Report {
  const otherwise = 'The archive is not readable.';
  if (error instanceof ForeignArchiveError) {
    const made: Made = new Map([[1, { finding: 'not-made', detail: error.message }]]);
    return makeReport('could-not-check', allChecks(made, otherwise), null, null, error.message);
  }
  if (!(error instanceof ArchiveError)) throw error;
  const made: Made = new Map([[1, { finding: 'failed', detail: error.message }]]);
  return makeReport('not-verified', allChecks(made, otherwise), null, error.entry ?? null);
}

/** What can be read of the manifest in the first leaf; nothing about it is checked. */
function firstManifest(leaf: Bytes): Manifest | undefined {
  try {
    const { body } = readEntry(leaf);
    return body.kind === 'manifest' ? readManifest(body.manifest) : undefined;
  } catch (error) {
    if (error instanceof LayoutError) return undefined;
    throw error;
  }
}

class Run {
  readonly #archive: Archive;
  readonly #trust: Policy | undefined;
  readonly #made: Made = new Map();

  constructor(archive: Archive, trust: Policy | undefined) {
    this.#archive = archive;
    this.#trust = trust;
    this.#pass(STEP.archive, `${archive.size} leaves have their hashes.`);
  }

  #pass(step: number, detail: string): void {
    this.#made.set(step, { finding: 'ok', detail });
  }

  #fail(step: number, detail: string): void {
    this.#made.set(step, { finding: 'failed', detail });
  }

  /** Passes unless the check throws what policies and this file throw about archives. */
  #check(step: number, check: () => string): void {
    try {
      this.#pass(step, check());
    } catch (error) {
      const told = [Mismatch, PolicyError, QuorumError].some((kind) => error instanceof kind);
      if (!told) throw error;
      this.#fail(step, `${(error as Error).message}.`);
    }
  }

  async finish(progress: (progress: Progress) => void): Promise<Report> {
    const archive = this.#archive;
    const manifest = firstManifest(await archive.leaf(0));
    const roots = this.#rootsAt();
    if (this.#trust !== undefined) {
      const trust = this.#trust;
      this.#check(STEP.trust, () => compareTrust(trust, manifest));
    }
    this.#check(STEP.tree, () => this.#compareTree(roots));
    const successions = await this.#successions(manifest);
    this.#check(STEP.cosignatures, () => this.#checkCosignatures(manifest, successions));
    this.#check(STEP.prefixes, () => this.#comparePrefixes(roots));
    const fold = new Fold((index) => archive.leaf(index));
    const refused = await this.#judgeLeaves(fold, progress);
    if (refused !== undefined) this.#fail(stepOf(refused), sentenceOf(refused));
    else this.#tellEstablished(fold);
    return this.#report(fold, manifest, refused, roots);
  }

  /** The roots at the sizes that checkpoints name, and over all leaves. */
  #rootsAt(): Map<bigint, Bytes> {
    const wanted = new Set(this.#archive.checkpoints.map(({ checkpoint }) => checkpoint.size));
    wanted.add(BigInt(this.#archive.size));
    const tree = new TreeHead();
    const roots = new Map<bigint, Bytes>();
    for (let size = 0; ; size++) {
      if (wanted.has(BigInt(size))) roots.set(BigInt(size), tree.root());
      if (size === this.#archive.size) return roots;
      tree.append(this.#archive.hash(size));
    }
  }

  #compareTree(roots: ReadonlyMap<bigint, Bytes>): string {
    const { size, root } = this.#archive.last.checkpoint;
    const own = BigInt(this.#archive.size);
    if (size !== own)
      throw new Mismatch(`the final checkpoint is about ${size} leaves, not ${own}`);
    if (!equal(root, roots.get(own)!)) throw new Mismatch('the leaves have another root');
    return `${size} leaves.`;
  }

  /** The new keys of authorities that leaves name, whether or not they may. */
  async #successions(manifest: Manifest | undefined): Promise<Successions> {
    if (manifest === undefined) return new Successions();
    const { newKeys } = this.#archive;
    const leaves = newKeys.map(async (index) => ({
      index,
      bytes: await this.#archive.leaf(index),
    }));
    return Successions.scan(manifest, await Promise.all(leaves));
  }

  #checkCosignatures(manifest: Manifest | undefined, successions: Successions): string {
    const policy = this.#trust ?? (manifest && policyOf(manifest));
    if (policy === undefined) throw new Mismatch('no authority is known');
    for (const note of this.#archive.checkpoints) {
      const keys = successions.policyAt(policy, note.checkpoint.size);
      if (signersOf(keys, note).length < note.signatures.length) {
        throw new Mismatch('somebody who is no authority has signed a checkpoint');
      }
    }
    const { last } = this.#archive;
    if (manifest !== undefined && originOf(manifest) !== last.checkpoint.origin) {
      throw new Mismatch('they signed another log');
    }
    const signers = verifyFinal(successions.policyAt(policy, last.checkpoint.size), last);
    const quorum = quorumOf(policy.authorities.length, policy.faulty);
    return `${signers.length} authorities signed it; ${quorum} are needed.`;
  }

  #comparePrefixes(roots: ReadonlyMap<bigint, Bytes>): string {
    const { checkpoints, last } = this.#archive;
    for (const { checkpoint } of checkpoints) {
      const root = roots.get(checkpoint.size);
      const same = root !== undefined && equal(root, checkpoint.root);
      if (!same || checkpoint.origin !== last.checkpoint.origin) {
        throw new Mismatch(`the checkpoint of size ${checkpoint.size} is no prefix`);
      }
    }
    return `${checkpoints.length - 1} earlier checkpoints.`;
  }

  async #judgeLeaves(
    fold: Fold,
    progress: (progress: Progress) => void,
  ): Promise<Refused | undefined> {
    const total = this.#archive.size;
    let done = 0;
    for await (const leaf of this.#archive.leaves()) {
      const refused = await fold.push(leaf, this.#archive.hash(done));
      if (refused !== undefined) return refused;
      done += 1;
      if (done % PROGRESS_STEP === 0 || done === total) progress({ done, total });
    }
    return fold.settle();
  }

  /** Says for each step what the leaves established; what they do not reach stays not made. */
  #tellEstablished({ stage }: Fold): void {
    if (stage.phase === 'empty' || stage.phase === 'setup') {
      this.#pass(STEP.entries, `${this.#archive.size} entries.`);
      return;
    }
    const { charter, voting } = stage;
    const { ballots, voters, weight } = voting.turnout;
    const { definition } = charter.manifest;
    this.#pass(STEP.manifest, 'Signed by all who must.');
    const { added, withdrawn, replaced } = voting.changes;
    const changes = `${added} added, ${withdrawn} withdrawn, ${replaced} replaced`;
    this.#pass(STEP.roll, `${voting.electorate.roll.count} voters; since the opening ${changes}.`);
    const trustees = definition.openPoll
      ? 'An open poll needs none.'
      : `Any ${definition.threshold} trustees can decrypt.`;
    this.#pass(STEP.ceremony, trustees);
    this.#pass(STEP.entries, `${this.#archive.size} entries.`);
    this.#pass(STEP.ballots, `${ballots} ballots.`);
    this.#pass(STEP.proofs, `${ballots} ballots.`);
    if (stage.phase === 'open') return;
    const paper = `${voting.turnout.paper.voters} are marked on paper`;
    this.#pass(STEP.sums, `${voters} ballots of weight ${weight} count; ${paper}.`);
    if (stage.phase === 'closed') return;
    this.#pass(STEP.shares, `At least ${definition.threshold} shares.`);
    const decided = decisionsOf(stage.result, definition).map(({ finding }) => finding);
    this.#pass(STEP.result, `${stage.result.ballots} ballots; contests: ${decided.join(', ')}.`);
  }

  #report(
    { stage }: Fold,
    manifest: Manifest | undefined,
    refused: Refused | undefined,
    roots: ReadonlyMap<bigint, Bytes>,
  ): Report {
    const otherwise = refused ? `Entry ${refused.index} is not right.` : 'The archive ends before.';
    const checks = allChecks(this.#made, otherwise);
    const failed = checks.some(({ finding }) => finding === 'failed');
    const size = this.#archive.size;
    const voting = 'voting' in stage ? stage.voting : undefined;
    const result = stage.phase === 'published' ? stage.result : undefined;
    const facts = manifest && factsOf(manifest, size, roots.get(BigInt(size))!, voting, result);
    const anchored: VerdictName = this.#trust === undefined ? 'not-anchored' : 'verified';
    const verdict = stage.phase === 'published' ? anchored : 'could-not-check';
    const why = 'The archive ends before the result.';
    if (failed) return makeReport('not-verified', checks, facts ?? null, refused?.index ?? null);
    const told = verdict === 'could-not-check' ? why : undefined;
    return makeReport(verdict, checks, facts ?? null, null, told);
  }
}

/** A check about checkpoints or authorities does not hold. */
class Mismatch extends Error {
  override readonly name = 'Mismatch';
}

function compareTrust(trust: Policy, manifest: Manifest | undefined): string {
  if (manifest === undefined) throw new Mismatch('the first leaf is no readable manifest');
  const origin = originOf(manifest);
  if (!covers(trust, origin)) throw new Mismatch(`the archive is of ${origin}`);
  const named = manifest.authorities;
  const trusted = trust.authorities;
  const isNamed = (one: (typeof trusted)[number]) =>
    named.some(({ name, key }) => name === one.name && equal(key, one.key));
  const distinct = new Set(named.map(({ name, key }) => `${name} ${key.join()}`)).size;
  if (distinct !== trusted.length || !trusted.every(isNamed)) {
    throw new Mismatch('the manifest names other authorities');
  }
  if (manifest.faulty !== trust.faulty) throw new Mismatch('another number may be malicious');
  return `${trusted.length} authorities.`;
}

const PLACE_CODES = new Set([
  'unknown-appender',
  'stamp-out-of-range',
  'wrong-phase',
  'no-manifest',
  'too-early',
  'too-late',
  'paused',
]);

/** The step that a leaf that is not right is charged to. */
function stepOf({ kind, refusal }: Refused): number {
  if (kind === undefined) return STEP.entries;
  if (kind === 'manifest') return STEP.manifest;
  if (PLACE_CODES.has(refusal.code)) return STEP.entries;
  switch (kind) {
    case 'endorsement':
      return STEP.manifest;
    case 'roll':
      return STEP.roll;
    case 'ceremony':
      return STEP.ceremony;
    case 'ballot':
      return ['bad-proof', 'bad-answer'].includes(refusal.code) ? STEP.proofs : STEP.ballots;
    case 'share':
      return STEP.shares;
    case 'result':
      return STEP.result;
    default:
      return STEP.entries;
  }
}

function sentenceOf({ index, refusal }: Refused): string {
  return `Entry ${index}: ${refusal.message}`;
}
