/** What the administrator may order while an election is open or paused. */

import type { Bytes } from '../crypto/bytes.ts';
import { PublicKey } from '../crypto/signature.ts';
import { isCountable } from '../election/manifest.ts';
import { isOrderSigned, type Order, type SignedOrder } from '../election/order.ts';
import { need, refuse } from '../election/refusal.ts';
import { SMALL_CLASS, type Voter } from '../election/roll.ts';
import type { Charter } from './setup.ts';
import type { Voting } from './voting.ts';

/** Checks an order against the state, and carries it out. */
export function obey(signed: SignedOrder, stamp: number, voting: Voting, charter: Charter): void {
  const { manifest } = charter;
  need(isOrderSigned(signed, manifest), 'bad-signature', 'The administrator did not sign it.');
  const next = voting.orders;
  need(signed.number === next, 'wrong-number', `The next order must have number ${next}.`);
  carryOut(signed.order, stamp, voting, charter);
  voting.orders += 1;
}

function carryOut(order: Order, stamp: number, voting: Voting, charter: Charter): void {
  const { definition } = charter.manifest;
  switch (order.act) {
    case 'pause':
    case 'resume': {
      const isPaused = order.act === 'pause';
      need(voting.isPaused !== isPaused, 'bad-order', 'The election is in that state already.');
      voting.isPaused = isPaused;
      return;
    }
    case 'extend':
      checkExtension(order.closes, stamp, voting, definition.extendableUntil);
      voting.closes = order.closes;
      return;
    case 'reset':
      need(definition.isTest, 'not-allowed', 'Only a test can be reset.');
      voting.forgetBallots();
      return;
    case 'paper': {
      need(definition.paper, 'not-allowed', 'This election has no votes on paper.');
      voting.markPaper(untouched(order.key, voting));
      return;
    }
    default:
      need(definition.rollChanges, 'not-allowed', 'The roll may not be changed.');
      changeRoll(order, voting, charter);
  }
}

function checkExtension(
  closes: number,
  stamp: number,
  voting: Voting,
  limit: number | undefined,
): void {
  const now = voting.closes;
  if (limit === undefined || now === undefined) {
    refuse('not-allowed', 'The closing may not be moved.');
  }
  need(stamp < now, 'bad-order', 'The extension comes after the closing.');
  need(closes > now && closes <= limit, 'bad-order', `The closing cannot move to ${closes}.`);
}

function changeRoll(
  order: Extract<Order, { act: 'add' | 'withdraw' | 'replace' }>,
  voting: Voting,
  charter: Charter,
): void {
  const { electorate } = voting;
  if (order.act === 'add') {
    const { voter } = order;
    checkNewcomer(voter, voting);
    const asked = charter.questions.asked(voter.group).length > 0;
    need(asked, 'bad-order', 'The group has no question to answer.');
    const total = electorate.weight + BigInt(voter.weight);
    const countable = isCountable(charter.manifest.definition, total);
    need(countable, 'bad-order', 'The total weight would be too large.');
    checkClass(electorate.classSize(voter) + 1, charter);
    voting.enrol(voter);
    voting.changes.added += 1;
    return;
  }
  const place = untouched(order.key, voting);
  const voter = electorate.voter(place);
  if (order.act === 'withdraw') {
    const left = electorate.classSize(voter) - 1;
    if (left > 0) checkClass(left, charter);
    electorate.remove(place, 'withdrawn');
    voting.changes.withdrawn += 1;
    return;
  }
  const successor = { ...voter, key: order.by };
  checkNewcomer(successor, voting);
  electorate.remove(place, 'replaced');
  voting.enrol(successor);
  voting.changes.replaced += 1;
}

function checkNewcomer({ key, weight }: Voter, { electorate }: Voting): void {
  need(electorate.find(key) === undefined, 'bad-order', 'The key is or was on the roll.');
  need(weight > 0, 'bad-order', 'The new voter has weight 0.');
  need(typeof PublicKey.read(key) !== 'string', 'bad-order', 'The new key is not usable.');
}

function checkClass(size: number, { manifest: { definition } }: Charter): void {
  const free = definition.acceptsSmallClasses || definition.openPoll;
  need(free || size >= SMALL_CLASS, 'bad-order', `The class would have ${size} voters.`);
}

/** The place of a credential that has neither voted nor been marked. */
function untouched(key: Bytes, voting: Voting): number {
  const place = voting.placeOf(key);
  need(!voting.hasVoted(place), 'has-voted', 'The credential has an accepted ballot.');
  return place;
}
