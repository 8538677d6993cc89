/** The records of the store in memory, verified when they are first used. */

import type { Address } from '../../protocol/address.ts';
import type { EventVerifier, NostrEvent } from '../../protocol/event.ts';
import { parseRecord, verifyRecord } from './record-codec.ts';
import type { HeadRecord } from './record.ts';

interface Entry {
  readonly text: string | undefined;
  /** Verified at first use. */
  record: HeadRecord | undefined;
  isVerified: boolean;
  /** The record before that, once anybody looked. */
  unverified?: HeadRecord<NostrEvent> | undefined;
}

export interface Cache {
  /** The record of a category; its events are verified. */
  get(dTag: Address): HeadRecord | undefined;
  /** The record by shape alone. */
  peek(dTag: Address): HeadRecord<NostrEvent> | undefined;
  dTags(): Iterable<Address>;
  count(): number;
  /** The text that the store had of a category when it was last looked at. */
  textOf(dTag: Address): string | undefined;
  /** The record in a text: without verifying it again, if it is the one that is here. */
  read(dTag: Address, text: string | undefined): HeadRecord | undefined;
  put(dTag: Address, text: string | undefined, record: HeadRecord | undefined): void;
}

export function createCache(
  texts: ReadonlyMap<Address, string>,
  ports: {
    readonly pubkey: string;
    readonly verifier: EventVerifier;
    /** A text holds no record that can be used. */
    readonly onUnusable: (dTag: Address) => void;
    /** One that counted by its shape turned out not to. */
    readonly onDropped: (dTag: Address) => void;
  },
): Cache {
  const entries = new Map<Address, Entry>();
  for (const [dTag, text] of texts) entries.set(dTag, { text, record: undefined, isVerified: false });

  function read(dTag: Address, text: string | undefined): HeadRecord | undefined {
    const known = entries.get(dTag);
    if (known?.isVerified === true && known.text === text) return known.record;
    const parsed = text === undefined ? undefined : parseRecord(text);
    const record = parsed && verifyRecord(parsed, { pubkey: ports.pubkey, dTag, verifier: ports.verifier });
    if (text !== undefined && record === undefined) ports.onUnusable(dTag);
    return record;
  }

  return {
    get: (dTag) => {
      const entry = entries.get(dTag);
      if (entry !== undefined && !entry.isVerified) {
        entry.record = read(dTag, entry.text);
        entry.isVerified = true;
        if (entry.record === undefined) ports.onDropped(dTag);
      }
      return entry?.record;
    },
    peek: (dTag) => {
      const entry = entries.get(dTag);
      if (entry === undefined || entry.isVerified) return entry?.record;
      if (entry.text !== undefined) entry.unverified ??= parseRecord(entry.text);
      return entry.unverified;
    },
    dTags: () => entries.keys(),
    count: () => entries.size,
    textOf: (dTag) => entries.get(dTag)?.text,
    read,
    put: (dTag, text, record) => void entries.set(dTag, { text, record, isVerified: true }),
  };
}
