/** What a run of many histories adds up to, and what it must have met to be worth anything. */

import { KEEPS, LIES, MISBEHAVIOURS } from './hostile.ts';
import type { Violation } from './oracle.ts';
import { MOODS } from './scenario.ts';

export interface Failure {
  readonly seed: number;
  readonly violations: readonly Violation[];
}

export interface Report {
  histories: number;
  steps: number;
  /** Histories that were run twice, to compare their traces. */
  repeated: number;
  readonly counts: Map<string, number>;
  readonly failures: Failure[];
}

export function emptyReport(): Report {
  return { histories: 0, steps: 0, repeated: 0, counts: new Map(), failures: [] };
}

export function addReport(sum: Report, more: Report): void {
  sum.histories += more.histories;
  sum.steps += more.steps;
  sum.repeated += more.repeated;
  sum.failures.push(...more.failures);
  for (const [what, times] of more.counts) sum.counts.set(what, (sum.counts.get(what) ?? 0) + times);
}

/** A run that never met one of these is blind to whatever goes wrong there. */
const MUST_HAPPEN: readonly string[] = [
  ...['now', 'update', 'decided', 'flushed', 'send', 'receive', 'sign'].map((point) => `crash: ${point}`),
  'crash: a tab',
  'sometimes: unflushed batch lost, drop',
  'sometimes: unflushed batch lost, tear',
  'sometimes: a first write beats what turned up meanwhile',
  ...['cut', 'hole'].map((state) => `fault: line ${state}`),
  ...['silent', 'slow', 'drop-ok', 'error', 'rate-limited', 'blocked'].map(
    (fault) => `fault: relay ${fault}`,
  ),
  ...['deleted', 'too large'].map((why) => `fault: relay pieces ${why}`),
  'fault: REQ beyond the quota',
  ...['down', 'restarts', 'wiped', 'rolled back'].map((what) => `fault: relay ${what}`),
  ...['hang', 'throw', 'lie', 'slow', ...MOODS].map((what) => `fault: signer ${what}`),
  'sometimes: head that its writer cannot read',
  'sometimes: value before one that cannot be read',
  'fault: clock jumps',
  'fault: clock off by days',
  'sometimes: write from the future stamped anew',
  'sometimes: a value from the future is reset',
  'sometimes: a void head is left',
  'fault: sleep',
  'fault: offline',
  'fault: a tab is suspended',
  'sometimes: another tab takes over',
  'fault: update failed',
  'fault: flush failed',
  'fault: read failed',
  ...['lost', 'late', 'unanswered'].map((how) => `fault: transaction ${how}`),
  'fault: backup restored',
  'fault: device destroyed',
  'fault: disk cloned',
  'sometimes: reconciled',
  ...LIES.map((one) => `misbehaviour: ${one}`),
  ...[...MISBEHAVIOURS, KEEPS].map((one) => `misbehaviour: ${one}`),
  'sometimes: a refused write is shown',
  'told: error WITHDRAWN_WRITE_SHOWN',
  'call: publish by the reference',
  ...[
    'fetch',
    'syncAll',
    'poll',
    'subscribe',
    'remove',
    'addRelay',
    'removeRelay',
    'clearSigner',
    'close',
  ].map((call) => `call: ${call}`),
  'write: large',
  'write: in pieces',
  'sometimes: piece sent',
  ...['saved', 'delivered', 'replicated'].map((stage) => `receipt: ${stage}`),
  ...['AbortError', 'STORE_FAILED', 'NO_RELAYS_ACCEPTED', 'SIGNER_NOT_SET', 'ENCRYPTION_FAILED'].map(
    (code) => `publish: ${code}`,
  ),
  'told: updated',
  'told: subscription',
  'told: error UNDECODABLE',
  'told: error CLOCK_SKEW',
  'told: error DEVICE_ID_TAKEN',
  'sometimes: conflict',
  'sometimes: depth compared',
  'sometimes: connections compared',
  'sometimes: stage compared',
  'sometimes: fetch null',
  'sometimes: forged before genuine',
  'sometimes: head taken with all its pieces',
  'sometimes: hostile to the end',
  'sometimes: receipt superseded',
  'sometimes: stamp far ahead',
  'sometimes: stamp reused',
  'sometimes: first write held',
  'sometimes: first write stamped anew',
  'sometimes: telling compared',
  'sometimes: tie stamped anew',
  'sometimes: end made',
  'sometimes: unknown',
  'sometimes: wiped, and asked for one',
  'sometimes: vector that lies',
  'sometimes: write withdrawn',
  ...['update', 'based', 'whole', 'without a word of its base'].map((how) => `edit: ${how}`),
  ...['history', 'export', 'import'].map((call) => `call: ${call}`),
  'receipt of restore',
  'sometimes: former value read',
  'sometimes: import of what is older',
  'told: merged',
  'told: clash',
  ...['exact', 'older', 'absent'].map((how) => `merge: base ${how}`),
  'merge: written',
  'sometimes: killed before it merges',
  'merge: an edit judged',
  'merge: an edit beaten',
  'merge: an edit beaten, and looked for in the history',
  'merge: an edit of a destroyed device judged',
  'agreement: whole',
];

/** Only one history in a thousand has any of these. */
const MUST_HAPPEN_IN_MANY: readonly string[] = ['merge: an edit given up, and told'];

/** From so many histories on, what must happen has happened: what is rarest happens seven times in that, on average. */
const ENOUGH_HISTORIES = 2_000;
const MANY_HISTORIES = 10_000;

export function missing({ histories, counts }: Report): string[] {
  return [
    ...(histories < ENOUGH_HISTORIES ? [] : MUST_HAPPEN),
    ...(histories < MANY_HISTORIES ? [] : MUST_HAPPEN_IN_MANY),
  ].filter((what) => !counts.has(what));
}

export function describeReport(report: Report, seconds: number): string {
  const { histories, steps, repeated, counts, failures } = report;
  const lines = [...counts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, times]) => `  ${what}  ${times}`);
  const rate = (histories / seconds).toFixed(1);
  return [
    ...lines,
    `${histories} histories, ${steps} steps, ${counts.get('call: publish') ?? 0} writes, ${repeated} repeated, ${rate} histories a second`,
    `${failures.length} histories with violations`,
  ].join('\n');
}

export function describeFailure({ seed, violations }: Failure): string {
  const shown = violations
    .slice(0, 3)
    .map(({ invariant, message, at }) => `  ${invariant} at ${at} ms: ${message}`);
  return [
    `seed ${seed}, ${violations.length} violations; again: npm run sim -- --seed ${seed}`,
    ...shown,
  ].join('\n');
}
