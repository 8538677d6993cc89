/**
 * What relays are asked before a write goes out. A device that knows nothing of a category asks, so that it does not write below what
 * exists: what it writes is saved at once, and held until the question is over.
 */

import type { Clock } from '../clock.ts';
import type { Address, RelayUrl } from '../protocol/address.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { FIRST_WRITE_MS, MAX_LAPS } from '../protocol/limits.ts';
import { floorOf, isHeld } from './heads/record.ts';
import type { Replica } from './heads/replica.ts';
import { isFromEvery, type Network } from './relays/network.ts';

/** What the first writes of one turn ask together, so that many are a handful of REQs. */
export interface Question {
  readonly dTags: ReadonlySet<Address>;
  readonly isOpen: boolean;
  /** Every configured relay has said what it has, completely. */
  readonly isAnswered: boolean;
  /** Those of which there was something by then. */
  readonly found: ReadonlySet<Address>;
}

export interface FirstWrites {
  /** The question that a write of this category waits for; `undefined`: the device knows what there is. */
  explore(dTag: Address): Question | undefined;
  /** The question is over: what was held for it may go out, above all that has turned up. */
  release(dTag: Address, question: Question): Promise<void>;
  /** Before a write above what is from the future: another device may have reset that, and the write would be in the future again. */
  lookForReset(dTag: Address): Promise<void>;
}

/** There is no relay to ask. */
const UNASKED: Question = { dTags: new Set(), isOpen: false, isAnswered: false, found: new Set() };

export function createFirstWrites(ports: {
  readonly clock: Clock;
  readonly replica: Pick<Replica, 'get' | 'apply'>;
  readonly network: () => Pick<Network, 'ask'>;
  /** Configured relays, and whether there is a hope that one of them answers soon. */
  readonly relays: () => readonly RelayUrl[];
  readonly isReachable: () => boolean;
  readonly isClosed: () => boolean;
  /** Signs the same write again, above all that is known. */
  readonly restamp: (dTag: Address, event: VerifiedEvent) => Promise<VerifiedEvent>;
}): FirstWrites {
  const { clock, replica } = ports;
  /** Categories of which every relay has said what it has. */
  const explored = new Set<Address>();
  /** By category, what is asked now: a write that comes meanwhile, or is made again, asks nothing of its own. */
  const open = new Map<Address, Question>();
  /** What the first writes of this turn ask. */
  let question: (Question & { readonly dTags: Set<Address> }) | undefined;

  function openQuestion(): Question & { readonly dTags: Set<Address> } {
    const [dTags, found] = [new Set<Address>(), new Set<Address>()];
    const asked = { dTags, isOpen: true, isAnswered: false, found };
    const end = (isAnswered: boolean): void => {
      if (!asked.isOpen) return;
      asked.isOpen = false;
      asked.isAnswered = isAnswered;
      for (const dTag of dTags) {
        open.delete(dTag);
        if (isAnswered) explored.add(dTag);
        if (replica.get(dTag) !== undefined) found.add(dTag);
        void release(dTag, asked);
      }
    };
    queueMicrotask(() => {
      question = undefined;
      const cancel = clock.after(FIRST_WRITE_MS, () => end(false));
      void ports
        .network()
        .ask([...dTags], 'all')
        .then((answers) => {
          cancel();
          end(isFromEvery(answers, ports.relays()));
        });
    });
    return asked;
  }

  async function release(dTag: Address, { isAnswered }: Question): Promise<void> {
    for (let lap = 0; lap < MAX_LAPS && !ports.isClosed(); lap++) {
      const record = replica.get(dTag);
      if (record?.head === undefined || !isHeld(record)) return;
      const { event } = record.head;
      const upTo = floorOf(record);
      const isBeaten = upTo > event.created_at;
      // Without a signer it goes out as it is, and its loss is told.
      const again = isBeaten ? await ports.restamp(dTag, event).catch(() => undefined) : undefined;
      const end = { type: 'explored', id: event.id, isBlind: !isAnswered, again, upTo } as const;
      // What the store does not take goes out as it is when the hold is over.
      await replica.apply(dTag, end).catch(() => undefined);
    }
  }

  return {
    explore: (dTag) => {
      if (explored.has(dTag) || replica.get(dTag) !== undefined) return undefined;
      if (!ports.isReachable()) return UNASKED;
      const known = open.get(dTag);
      if (known !== undefined) return known;
      question ??= openQuestion();
      question.dTags.add(dTag);
      open.set(dTag, question);
      return question;
    },
    release,
    lookForReset: (dTag) =>
      new Promise((resolve) => {
        if (!ports.isReachable()) return resolve();
        const cancel = clock.after(FIRST_WRITE_MS, resolve);
        const done = (): void => {
          cancel();
          resolve();
        };
        ports.network().ask([dTag], 'all').then(done, done);
      }),
  };
}
