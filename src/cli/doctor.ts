/** `doctor`: what each relay can do for this app, as a table and in words. */

import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import {
  MAX_EVENT_PLAINTEXT_BYTES,
  MAX_PAYLOAD_BYTES,
  MAX_PIECE_BYTES,
  MAX_TEXT_BYTES,
  SKEW_REPORT_SECONDS,
} from '../protocol/limits.ts';
import { canonicalRelayUrl } from '../relay/url.ts';
import { generateKey, secretKeySigner } from '../node.ts';
import { CommandError, EXIT } from './failure.ts';
import { largestValueBytes } from './largest-value.ts';
import { escaped, table, type Output } from './output.ts';
import { probeRelay, type RelayReport } from './probe.ts';
import { secondsFor, type Rate } from './probe-rate.ts';
import { requiredRelays, signerFrom } from './settings.ts';

/** A manifest and its pieces, on average. */
const EVENTS_OF_THE_LARGEST = Math.ceil(MAX_PAYLOAD_BYTES / (0.42 * MAX_PIECE_BYTES)) + 1;

/** Slower than this is worth a word. */
const SLOW_MS = 1_000;

/** `limited`: it works, within limits that the advice names. */
type Verdict = 'good' | 'limited' | 'unusable' | 'unreachable';

interface Judgement {
  readonly verdict: Verdict;
  /** For people, the weightiest first. Never empty. */
  readonly advice: readonly string[];
}

export function addDoctor(program: Command, output: Output): void {
  program
    .command('doctor')
    .description('try each relay out: reachability, AUTH, sizes, rate limits, habits, clock; then advice')
    .addHelpText(
      'after',
      `
It writes some 25 probes, the first of growing size, reads them back and has them deleted; what is not deleted ends within
10 minutes. It takes 10 to 20 seconds.
Without a key it uses one that it throws away: relays that let in only whom they know will then refuse it.
Exit codes here: 0 every relay can be used, 1 some cannot, 4 none could be reached.`,
    )
    .action(async (_options: object, command: Command) => {
      const urls = [...new Set(requiredRelays(command).map((url) => canonicalRelayUrl(url)))];
      const given = await signerFrom(command);
      const signer = given ?? secretKeySigner(generateKey());
      if (given === undefined) output.note('no key given: trying with one that is thrown away');
      const reports = await Promise.all(urls.map((url) => probeRelay(url, { signer, randomBytes })));
      signer.wipe?.();
      const judged = reports.map((report) => ({ ...report, ...judge(report, given !== undefined) }));
      output.result({ relays: judged }, [reportTable(judged), ...judged.map(adviceText)].join('\n\n'));
      const bad = judged.filter(({ verdict }) => verdict === 'unusable' || verdict === 'unreachable');
      if (judged.every(({ verdict }) => verdict === 'unreachable')) {
        throw new CommandError('NO_RELAYS_REACHABLE', EXIT.unreachable, 'No relay could be reached');
      }
      if (bad.length > 0) {
        throw new CommandError(
          'RELAYS_UNUSABLE',
          EXIT.failed,
          `${bad.length} of ${judged.length} relays cannot be used`,
        );
      }
    });
}

function judge(report: RelayReport, hasKey: boolean): Judgement {
  if (!report.reachable) {
    return {
      verdict: 'unreachable',
      advice: [`Cannot be reached: ${report.error}. Check the URL and the network.`],
    };
  }
  const { largest, refused, clockDifferenceSeconds: difference, limitedForNow, habits } = report;
  const notes = [
    ...(report.auth === 'required' ? ['It asks for AUTH (NIP-42) and did not accept ours.'] : []),
    ...(report.auth === 'accepted'
      ? ['It asks for AUTH (NIP-42): it knows which key reads and writes.']
      : []),
    ...(report.auth === 'none' && report.challenged
      ? ['It sends an AUTH challenge (NIP-42), but wanted none for what was tried.']
      : []),
    ...(report.rate === null ? [] : [rateNote(report.rate)]),
    ...(habits?.live === 'any d-tag'
      ? [
          'Live subscriptions bring all that their author writes, whatever was asked for: more traffic, nothing worse.',
        ]
      : []),
    ...(habits?.live === 'nothing'
      ? ['Live subscriptions bring nothing: changes of other devices are seen when something is asked for.']
      : []),
    ...(habits?.reconciles === 'nothing'
      ? [
          'Its reconciliation (NIP-77) leaves out what it hands out: each look for news costs as much as without. Switch it off there.',
        ]
      : []),
    ...(habits?.servesExpired === true
      ? ['It still hands out what has expired (NIP-40): ciphertext that was to end stays with it.']
      : []),
    ...(habits?.deletesNewer === true
      ? [
          'A deletion request takes away what is newer than it: after a removal it is sent the removal once more.',
        ]
      : []),
    ...(difference !== null && Math.abs(difference) > SKEW_REPORT_SECONDS
      ? [
          `Its clock and this one differ by ${Math.abs(difference)} s: relays refuse events from the future. Set the wrong one right.`,
        ]
      : []),
    ...(report.pairing?.carries === false
      ? [`Devices cannot pair over it (kind 24134): ${report.pairing.reason ?? 'no answer'}.`]
      : []),
    ...((report.latencyMs ?? 0) > SLOW_MS ? [`It is slow: ${report.latencyMs} ms for an answer.`] : []),
    ...(report.deletes === false
      ? ['It does not delete on request (NIP-09): old ciphertext may stay with it.']
      : []),
  ];
  if (largest === null && limitedForNow !== null) {
    const advice = `Limited for now: it says "${limitedForNow}". What it keeps could not be tried; ask again later.`;
    return { verdict: 'limited', advice: [advice, ...notes] };
  }
  if (largest === null) {
    const stranger = hasKey ? '' : ' It may let in only keys that it knows: try again with yours.';
    return {
      verdict: 'unusable',
      advice: [`It does not keep what it is given: ${refused?.reason ?? 'no answer'}.${stranger}`, ...notes],
    };
  }
  if (!report.readable)
    return { verdict: 'unusable', advice: ['It takes events but answers no questions.', ...notes] };
  const mostBytes = largest.payloadBytes ?? MAX_EVENT_PLAINTEXT_BYTES;
  if (mostBytes < MAX_TEXT_BYTES) {
    const limit = `Events with ${mostBytes} bytes fit, with ${refused?.payloadBytes} they did not (${refused?.reason}).`;
    const consequence = `Set maxPayloadSize to ${mostBytes} if all relays are to have every value.`;
    return { verdict: 'limited', advice: [`${limit} ${consequence}`, ...notes] };
  }
  const isLimited =
    report.auth === 'required' ||
    report.deletes === false ||
    limitedForNow !== null ||
    habits?.live === 'nothing' ||
    habits?.deletesNewer === true;
  const advice = `It can be used for values of every size, up to ${largestValueBytes(mostBytes)} bytes.`;
  return { verdict: isLimited ? 'limited' : 'good', advice: [advice, ...notes] };
}

function rateNote(rate: Rate): string {
  if (rate.burst === null) return `No limit on writes was met in ${rate.tried} of them.`;
  const refill =
    rate.perMinute === null ? 'none in the 10 s after that' : `then about ${rate.perMinute} a minute`;
  const seconds = secondsFor(EVENTS_OF_THE_LARGEST, rate);
  const large = seconds === undefined ? 'longer than could be measured' : `about ${seconds} s`;
  return `Limited for now: it took ${rate.burst} writes at once, ${refill}. A value of ${MAX_PAYLOAD_BYTES} bytes takes ${large} to get there.`;
}

function reportTable(reports: readonly (RelayReport & Judgement)[]): string {
  const ms = (value: number | null): string => (value === null ? '-' : `${value} ms`);
  const rows = reports.map((report) => [
    report.url,
    report.verdict,
    ms(report.connectMs),
    ms(report.latencyMs),
    ms(report.writeAndReadMs),
    report.reachable ? report.auth : '-',
    report.largest === null ? '-' : `${report.largest.eventBytes} B`,
    report.largestValueBytes === null ? '-' : `${report.largestValueBytes} B`,
    report.clockDifferenceSeconds === null ? '-' : `${report.clockDifferenceSeconds} s`,
    [report.information?.name, report.information?.software, report.information?.version]
      .filter(Boolean)
      .join(', ') || '-',
  ]);
  const head = [
    'RELAY',
    'VERDICT',
    'CONNECT',
    'LATENCY',
    'WRITE+READ',
    'AUTH',
    'LARGEST EVENT',
    'LARGEST VALUE',
    'CLOCK',
    'SAYS IT IS',
  ];
  return table([head, ...rows]);
}

function adviceText({ url, advice }: RelayReport & Judgement): string {
  return [url, ...advice.map((line) => `  ${escaped(line)}`)].join('\n');
}
