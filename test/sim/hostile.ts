/** What hostile relays do, each a fault of its own; any number of them together. */

import type { SignedEvent } from '../../src/protocol/event.ts';
import type {
  FrameAction,
  OutgoingFrame,
  RelayConnection,
  RelayFaults,
} from '../../src/testing/relay-options.ts';
import { anId } from '../names.ts';
import type { Chance } from './chance.ts';
import type { Cipher } from './cipher.ts';

export const MISBEHAVIOURS = [
  'drop',
  'ack-and-forget',
  'no-ok',
  'no-eose',
  'delay',
  'withhold',
  'withhold-pieces',
  'serve-old',
  'replay',
  'replay-for-ever',
  'reorder',
  'forge-first',
  'forge-newer',
  'wrong-d',
  'two-d',
  'wrong-author',
  'unasked',
  'endless',
  'lying-ok',
  'refuse',
  'close-subscriptions',
  'flood-auth',
  'flood-notice',
  'flood-junk',
  'oversize',
  'deep-json',
  'late-tie',
  'disconnect',
] as const;

/** Of reconciliations: ids that nobody has; that all is the same; what is no message. */
export const LIES = ['claim ids', 'claim all', 'claim junk'] as const;

/** Says `blocked:` to what it takes, keeps and shows. */
export const KEEPS = 'keep what it refuses';

export type Misbehaviour = (typeof MISBEHAVIOURS)[number] | (typeof LIES)[number] | typeof KEEPS;

export interface HostilePorts {
  readonly chance: Chance;
  readonly cipher: Cipher;
  /** Every genuine event that the relay could have come by, oldest first. */
  readonly known: () => readonly SignedEvent[];
  /** An event that the user never made, properly signed by a stranger. */
  readonly strange: SignedEvent;
  readonly count: (what: string) => void;
}

type Rewrite = (frames: readonly OutgoingFrame[]) => OutgoingFrame[];

const hex = (chance: Chance, length: number): string =>
  Array.from({ length }, () => chance.int(0, 15).toString(16)).join('');

function isFrame(frame: OutgoingFrame, type: string): frame is readonly [string, string, ...unknown[]] {
  return typeof frame !== 'string' && frame[0] === type && typeof frame[1] === 'string';
}

/** Puts `extra` frames before each EVENT frame of the relay. */
function beforeEvents(extra: (subscription: string, event: SignedEvent) => OutgoingFrame[]): Rewrite {
  return (frames) =>
    frames.flatMap((frame) =>
      isFrame(frame, 'EVENT') ? [...extra(frame[1], frame[2] as SignedEvent), frame] : [frame],
    );
}

/** Puts `extra` frames before each EOSE. */
function beforeEose(extra: (subscription: string) => OutgoingFrame[]): Rewrite {
  return (frames) =>
    frames.flatMap((frame) => (isFrame(frame, 'EOSE') ? [...extra(frame[1]), frame] : [frame]));
}

/** Says something else in each message of a reconciliation. */
function inMessages(message: () => string): Rewrite {
  return (frames) =>
    frames.map((frame) => (isFrame(frame, 'NEG-MSG') ? ['NEG-MSG', frame[1], message()] : frame));
}

/** The faults of all these misbehaviours together. */
export function misbehave(what: readonly Misbehaviour[], ports: HostilePorts): RelayFaults {
  const { chance, cipher, count } = ports;
  const rewrites: Rewrite[] = [];
  const receives: ((frame: readonly unknown[]) => FrameAction | undefined)[] = [];
  const floods: (() => OutgoingFrame)[] = [];
  const batches: ((connection: RelayConnection) => readonly OutgoingFrame[])[] = [];
  let faults: RelayFaults = {};
  const some = (): SignedEvent | undefined => {
    const known = ports.known();
    return known.length === 0 ? undefined : chance.pick(known);
  };
  const withSome = (make: (event: SignedEvent) => OutgoingFrame[]): OutgoingFrame[] => {
    const event = some();
    return event === undefined ? [] : make(event);
  };
  const sealed = (event: SignedEvent, changes: Partial<SignedEvent>): SignedEvent => {
    const changed = { ...event, ...changes };
    return { ...changed, id: anId(cipher.verifier.hash(changed)) };
  };

  for (const one of new Set(what)) {
    count(`misbehaviour: ${one}`);
    switch (one) {
      case 'drop':
        receives.push(() => (chance.bool(0.4) ? 'ignore' : undefined));
        break;
      case 'ack-and-forget':
        faults = { ...faults, forget: true };
        break;
      case 'no-ok':
        faults = { ...faults, dropOk: true };
        break;
      case 'no-eose':
        faults = { ...faults, noEose: true };
        break;
      case 'delay':
        faults = { ...faults, delayMs: chance.int(200, 20_000) };
        break;
      case 'withhold':
        faults = { ...faults, serve: [] };
        break;
      case 'withhold-pieces':
        rewrites.push((frames) =>
          frames.filter(
            (frame) =>
              !isFrame(frame, 'EVENT') ||
              !(frame[2] as SignedEvent).tags.some(([name, value]) => name === 'd' && value?.includes('/c/')),
          ),
        );
        break;
      case 'serve-old': {
        const known = ports.known();
        faults = { ...faults, serve: known.slice(0, chance.int(0, known.length)) };
        break;
      }
      case 'replay':
        rewrites.push(
          beforeEvents((subscription, event) => [
            ['EVENT', subscription, event],
            ...withSome((other) => [['EVENT', subscription, other]]),
          ]),
        );
        rewrites.push(beforeEose((subscription) => withSome((event) => [['EVENT', subscription, event]])));
        break;
      case 'replay-for-ever': {
        // What the user once wrote, at whoever listens, and an EOSE as if that were an answer.
        const batch = chance.pick([3, 40]);
        batches.push(({ subscriptions }) =>
          subscriptions().flatMap((id): OutgoingFrame[] => [
            ...Array.from({ length: batch }, () =>
              withSome((event) => (event.content.length > 2_000 ? [] : [['EVENT', id, event]])),
            ).flat(),
            ['EOSE', id],
          ]),
        );
        break;
      }
      case 'reorder': {
        const held: OutgoingFrame[] = [];
        rewrites.push((frames) => {
          held.push(...frames);
          if (chance.bool(0.3)) return [];
          const out = held.splice(0);
          return chance.bool(0.5) ? out.toReversed() : out;
        });
        break;
      }
      case 'forge-first':
        rewrites.push(
          beforeEvents((subscription, event) => {
            count('sometimes: forged before genuine');
            return [
              [
                'EVENT',
                subscription,
                { ...event, content: `${event.content.slice(0, -8)}AAAAAAAA`, sig: hex(chance, 128) },
              ],
              ['EVENT', subscription, { ...event, sig: hex(chance, 128) }],
            ];
          }),
        );
        break;
      case 'forge-newer':
        rewrites.push(
          beforeEose((subscription) =>
            withSome((event) => [
              ['EVENT', subscription, sealed(event, { created_at: event.created_at + 1_000_000 })],
              ['EVENT', subscription, { ...event, created_at: event.created_at + 5 }],
            ]),
          ),
        );
        break;
      case 'wrong-d':
        rewrites.push(
          beforeEose((subscription) =>
            withSome((event) => [
              ['EVENT', subscription, { ...event, tags: [['d', 'default/category-0/v1']] }],
              ['EVENT', subscription, sealed(event, { tags: [['d', 'default/category-0/v1']] })],
            ]),
          ),
        );
        break;
      case 'two-d':
        rewrites.push(
          beforeEose((subscription) =>
            withSome((event) => [
              [
                'EVENT',
                subscription,
                sealed(event, { tags: [...event.tags, ['d', 'default/category-0/v1']] }),
              ],
            ]),
          ),
        );
        break;
      case 'wrong-author':
        rewrites.push(beforeEose((subscription) => [['EVENT', subscription, ports.strange]]));
        break;
      case 'unasked':
        floods.push(() => ['EVENT', String(chance.int(0, 40)), some() ?? ports.strange]);
        floods.push(() => ['EVENT', 'never-opened', some() ?? ports.strange]);
        break;
      case 'endless':
        rewrites.push((frames) =>
          frames.flatMap((frame) =>
            isFrame(frame, 'EOSE')
              ? Array.from({ length: 80 }, () => ['EVENT', frame[1], some() ?? ports.strange])
              : [frame],
          ),
        );
        break;
      case 'lying-ok':
        rewrites.push((frames) =>
          frames.flatMap((frame): OutgoingFrame[] =>
            isFrame(frame, 'OK')
              ? [
                  ['OK', hex(chance, 64), true, ''],
                  ['OK', frame[1], 'yes', ''],
                  ...withSome((event) => [['OK', event.id, true, '']]),
                  chance.bool(0.5) ? ['OK', frame[1], false, 'replaced: have newer event'] : frame,
                  frame,
                ]
              : [frame],
          ),
        );
        floods.push(() => ['OK', some()?.id ?? hex(chance, 64), true, '']);
        break;
      case 'refuse': {
        const reason = chance.pick([
          'rate-limited: slow down',
          'error: database',
          'auth-required: who are you',
          'replaced: have newer event',
          'blocked: go away',
          'pow: 30 bits needed',
          'invalid: created_at too late',
          'something else',
        ]);
        faults = { ...faults, refuse: reason };
        break;
      }
      case KEEPS:
        rewrites.push((frames) =>
          frames.map((frame) =>
            isFrame(frame, 'OK') && frame[2] === true ? ['OK', frame[1], false, 'blocked: go away'] : frame,
          ),
        );
        break;
      case 'close-subscriptions':
        rewrites.push((frames) =>
          frames.flatMap((frame): OutgoingFrame[] =>
            isFrame(frame, 'EOSE') && chance.bool(0.7)
              ? [
                  [
                    'CLOSED',
                    frame[1],
                    chance.pick(['error: shutting down', 'auth-required: who', 'rate-limited:']),
                  ],
                ]
              : [frame],
          ),
        );
        break;
      case 'flood-auth':
        floods.push(() => ['AUTH', hex(chance, 32)]);
        break;
      case 'flood-notice':
        floods.push(() => ['NOTICE', 'ERROR: too many concurrent REQs']);
        floods.push(() => ['CLOSED', String(chance.int(0, 40)), 'error: closed']);
        break;
      case 'flood-junk':
        floods.push(() =>
          chance.pick(['', '[', '[]', 'null', '{}', '["EVENT"]', '["OK",1]', '["EVENT","0",{"id":7}]']),
        );
        break;
      case 'oversize':
        floods.push(() => (chance.bool(0.05) ? `["NOTICE","${'x'.repeat(300_000)}"]` : '["NOTICE",""]'));
        break;
      case 'deep-json':
        floods.push(() =>
          chance.bool(0.05) ? `["EVENT","0",${'['.repeat(5_000)}${']'.repeat(5_000)}]` : '[[[]]]',
        );
        break;
      case 'late-tie':
        faults = { ...faults, tie: 'last' };
        break;
      case 'claim ids':
        rewrites.push(
          inMessages(() => {
            const count = chance.int(1, 20);
            return `61000002${count.toString(16).padStart(2, '0')}${hex(chance, 64 * count)}`;
          }),
        );
        break;
      case 'claim all':
        rewrites.push(inMessages(() => '61'));
        break;
      case 'claim junk':
        rewrites.push(
          inMessages(() => chance.pick(['', '60', '61ff', hex(chance, 40), `61${hex(chance, 40)}`])),
        );
        break;
      case 'disconnect':
        receives.push(() =>
          chance.bool(0.15)
            ? chance.pick(['disconnect', 'disconnect-unanswered', 'disconnect-answered'])
            : undefined,
        );
        break;
    }
  }

  return {
    ...faults,
    ...(rewrites.length > 0 && {
      rewrite: (frame) =>
        rewrites.reduce<readonly OutgoingFrame[]>((frames, rewrite) => rewrite(frames), [frame]),
    }),
    ...(receives.length > 0 && {
      receive: (frame) => {
        for (const receive of receives) {
          const action = receive(frame);
          if (action !== undefined) return action;
        }
      },
    }),
    ...(floods.length + batches.length > 0 && {
      flood: {
        everyMs: chance.pick([200, 2_000]),
        frames: (connection) => [
          ...floods.map((make) => make()),
          ...batches.flatMap((make) => make(connection)),
        ],
      },
    }),
  };
}
