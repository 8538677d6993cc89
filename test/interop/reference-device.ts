/**
 * A model of the reference plugin (alpha.3) from its description alone, over code that is not ours: created_at is plain `now`,
 * tags `d`, `device_id` and `expiration`, no version vector, strict `>`, nothing kept over a restart.
 */

import { hexToBytes } from '@noble/hashes/utils.js';
import { getConversationKey, v2 } from 'nostr-tools/nip44';
import { finalizeEvent, getPublicKey, verifyEvent, type NostrEvent } from 'nostr-tools/pure';
import { WebSocket } from 'ws';
import type { NostrEvent as SignedEvent } from '../../src/node.ts';

export interface ReferenceResult {
  readonly category: string;
  readonly payload: unknown;
  readonly updatedAt: string;
  readonly deviceId: string;
}

export interface ReferenceDevice {
  readonly deviceId: string;
  /** Resolves with the event when the relay said OK true; rejects with its reason otherwise. */
  publish(category: string, payload: unknown, expiration?: number): Promise<NostrEvent>;
  /** Sends an event as it is; resolves with the relay's OK. */
  send(event: SignedEvent): Promise<{ readonly accepted: boolean; readonly reason: string }>;
  fetch(category: string): Promise<ReferenceResult | null>;
  /** Rejects as a whole where one value cannot be decrypted. */
  syncAll(categories: readonly string[]): Promise<ReferenceResult[]>;
  /** Only what is newer, by a strict `>`, than what this process has polled before. */
  poll(categories: readonly string[]): Promise<ReferenceResult[]>;
  /** The newest stored event of a category, as the relay shows it. */
  head(category: string): Promise<NostrEvent | undefined>;
  close(): void;
}

export interface ReferenceOptions {
  readonly key: string;
  readonly namespace?: string;
  readonly deviceId?: string;
  /** The device's clock, Unix time in s. */
  readonly now?: () => number;
}

/** Newest first; of two in one second the lowest id (NIP-01). */
function byOrder(a: NostrEvent, b: NostrEvent): number {
  return b.created_at - a.created_at || (a.id < b.id ? -1 : 1);
}

export async function referenceDevice(url: string, options: ReferenceOptions): Promise<ReferenceDevice> {
  const { key, namespace = 'default', deviceId = 'reference-device' } = options;
  const now = options.now ?? ((): number => Math.floor(Date.now() / 1000));
  const secret = hexToBytes(key);
  const pubkey = getPublicKey(secret);
  const conversationKey = getConversationKey(secret, pubkey);
  const lastSeen = new Map<string, number>();
  const oks = new Map<string, (accepted: boolean, reason: string) => void>();
  const requests = new Map<string, { readonly events: NostrEvent[]; readonly done: () => void }>();
  let requestCount = 0;

  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.on('error', () => {});
  socket.on('message', (data: Buffer) => {
    const [type, id, ...rest] = JSON.parse(data.toString()) as [string, string, ...unknown[]];
    if (type === 'OK') oks.get(id)?.(rest[0] === true, String(rest[1] ?? ''));
    if (type === 'EVENT') requests.get(id)?.events.push(rest[0] as NostrEvent);
    if (type === 'EOSE') requests.get(id)?.done();
  });

  const toDTag = (category: string): string => `${namespace}/${category}/v1`;

  async function head(category: string): Promise<NostrEvent | undefined> {
    const id = `reference-${requestCount++}`;
    const events: NostrEvent[] = [];
    const filter = { authors: [pubkey], kinds: [30078], '#d': [toDTag(category)] };
    await new Promise<void>((resolve) => {
      requests.set(id, { events, done: resolve });
      socket.send(JSON.stringify(['REQ', id, filter]));
    });
    requests.delete(id);
    socket.send(JSON.stringify(['CLOSE', id]));
    return events.filter((event) => verifyEvent(event)).sort(byOrder)[0];
  }

  function open(category: string, event: NostrEvent): ReferenceResult {
    return {
      category,
      payload: JSON.parse(v2.decrypt(event.content, conversationKey)) as unknown,
      updatedAt: new Date(event.created_at * 1000).toISOString(),
      deviceId: event.tags.find(([name]) => name === 'device_id')?.[1] ?? event.pubkey,
    };
  }

  async function fetch(category: string): Promise<ReferenceResult | null> {
    const event = await head(category);
    return event === undefined ? null : open(category, event);
  }

  function send(event: SignedEvent): Promise<{ accepted: boolean; reason: string }> {
    return new Promise((resolve) => {
      oks.set(event.id, (accepted, reason) => resolve({ accepted, reason }));
      socket.send(JSON.stringify(['EVENT', event]));
    });
  }

  return {
    deviceId,
    head,
    fetch,
    send,
    publish: async (category, payload, expiration) => {
      const tags = [
        ['d', toDTag(category)],
        ['device_id', deviceId],
        ...(expiration === undefined ? [] : [['expiration', String(expiration)]]),
      ];
      const content = v2.encrypt(JSON.stringify(payload), conversationKey);
      const event = finalizeEvent({ kind: 30078, created_at: now(), tags, content }, secret);
      const { accepted, reason } = await send(event);
      if (!accepted) throw new Error(reason);
      return event;
    },
    syncAll: async (categories) => {
      const results: ReferenceResult[] = [];
      for (const category of categories) {
        const result = await fetch(category);
        if (result !== null) results.push(result);
      }
      return results;
    },
    poll: async (categories) => {
      const results: ReferenceResult[] = [];
      for (const category of categories) {
        const event = await head(category);
        if (event === undefined || event.created_at <= (lastSeen.get(category) ?? -1)) continue;
        results.push(open(category, event));
        lastSeen.set(category, event.created_at);
      }
      return results;
    },
    close: () => socket.terminate(),
  };
}
