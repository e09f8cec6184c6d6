/** Sentences about nodes, in the reader's language, from what the node has judged. */

import type { TFunction } from 'i18next';
import type { ClusterView, Effect, FaultKind, Forecast } from './types.ts';

/** The verdict; the level and who is how are the node's own judgement. */
export function verdict(view: ClusterView, t: TFunction): string {
  const voters = view.nodes.filter(({ votes }) => votes);
  const up = voters.filter(({ state }) => state !== 'unreachable' && state !== 'stopped').length;
  const healthy = voters.filter(({ state }) => state === 'healthy').length;
  const total = voters.length;
  const quorum = Math.floor(total / 2) + 1;
  const { leader, term } = view;
  if (leader === null) return t('verdict.down', { up, total, quorum });
  const troubled = view.nodes.filter(({ state }) => state !== 'healthy');
  if (troubled.length === 0) {
    return t(total === 1 ? 'verdict.one' : 'verdict.healthy', { total, leader, term });
  }
  const spare = up - quorum;
  const said = [
    t('verdict.degraded', { healthy, total, leader, term }),
    spare <= 0 ? t('verdict.spareNone') : t('verdict.spare', { count: spare }),
  ];
  return said.join(' ');
}

/** `340 ms`, `12 s`, `2 min 14 s`, `3 h 5 min`: short, for tables and tags. */
export function shortSpan(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 1) return `${Math.max(0, Math.round(ms))} ms`;
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const hours = Math.floor(seconds / 3600);
  if (hours < 48) return `${hours} h ${Math.floor(seconds / 60) % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `0.31`: seconds of a stopwatch. */
export function stopwatch(ms: number, language: string): string {
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  return new Intl.NumberFormat(language, digits).format(ms / 1000);
}

/** What will come of a fault. */
export function expectation(
  kind: FaultKind,
  node: number | null,
  forecast: { effect: Effect } & Partial<Forecast>,
  t: TFunction,
): string {
  const doing = t(`doing.${kind}`, { node });
  const { left, all, quorum, leads } = forecast;
  const isBack = forecast.effect === 'stops' && forecast.stops_cluster === false;
  const key = isBack ? 'stopsBriefly' : forecast.effect;
  const isLeader = leads === true || forecast.effect === 'leader-change';
  const role = t(isLeader ? 'expect.leads' : 'expect.follows', { node });
  const text = t(`expect.${key}`, { doing, node, left, all, quorum, role });
  return text;
}
