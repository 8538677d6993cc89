/**
 * Events that no app asked for: they say again what some app wrote. Such an event is stamped one second above the one that it
 * says again, and never with the time, so it beats nothing that was written since. It keeps the device and the version
 * vector of the write. All devices that renew an event make the same event, with the same id.
 */

import { deviceHash, seenBy, vectorOf, vectorTag } from './causality.ts';
import { voidTags, type Voids } from './voids.ts';
import { deviceIdOf, isTombstone, type EventTemplate, type NostrEvent } from './event.ts';

/** The same value, one second later. `voids`: what does not count, as it is known by now. */
export function renewalOf({ kind, created_at, tags, content }: NostrEvent, voids: Voids): EventTemplate {
  const stamp = created_at + 1;
  return { kind, created_at: stamp, tags: [...withoutVoids(tags), ...voidTags(voids, stamp)], content };
}

const withoutVoids = (tags: EventTemplate['tags']): EventTemplate['tags'] =>
  tags.filter(([name]) => name !== 'void');

/** The same write of `device` under another stamp: no relay has it under its own. It has seen what it had. */
export function restampOf(event: NostrEvent, device: string, stamp: number): EventTemplate {
  const { kind, tags, content } = event;
  const vector = vectorTag(seenBy(event), device, stamp);
  return { kind, created_at: stamp, tags: tags.map((tag) => (tag[0] === 'vv' ? vector : tag)), content };
}

/** The tombstone of a value that has ended. `content` is its encrypted `null`. */
export function endOf(event: NostrEvent, voids: Voids, content: string): EventTemplate {
  const again = renewalOf(event, voids);
  const kept = again.tags.filter(([name]) => name !== 'expiration' && name !== 'format');
  return { ...again, tags: [...kept, ['deleted', '']], content };
}

/** Whether `event` says what `former` says: its renewal, or another tombstone of the same value. */
export function isRenewalOf(event: NostrEvent, former: NostrEvent): boolean {
  const isSame = event.content === former.content || (isTombstone(event) && isTombstone(former));
  const [tags, others] = [event, former].map((one) => JSON.stringify(withoutVoids(one.tags)));
  return isSame && tags === others;
}

/** How far an event is stamped above the write that it says again, in s; 0 for a write, and if its writer keeps no vectors. */
export function renewedBy(event: NostrEvent): number {
  const written = vectorOf(event)?.get(deviceHash(deviceIdOf(event)));
  return event.created_at - (written ?? event.created_at);
}
