/**
 * Events that no app asked for: they say again what some app wrote. Such an event is stamped one second above the one that it
 * says again, and never with the time, so it beats nothing that was written since. It keeps the device and the version
 * vector of the write. All devices that renew an event make the same event, with the same id.
 */

import type { Seconds } from './address.ts';
import { seenBy, vectorAt, writerOf } from './causality.ts';
import type { EventTemplate, NostrEvent } from './event.ts';
import { endedTags, hasSameTags, isTombstone, renewedTags, restampedTags, vectorOf } from './header.ts';
import { voidsAt, type Voids } from './voids.ts';

/** The same value, one second later. `voids`: what does not count, as it is known by now. */
export function renewalOf({ kind, created_at, tags, content }: NostrEvent, voids: Voids): EventTemplate {
  const stamp = created_at + 1;
  return { kind, created_at: stamp, tags: renewedTags(tags, voidsAt(voids, stamp)), content };
}

/** The same write of `device` under another stamp: no relay has it under its own. It has seen what it had. */
export function restampOf(event: NostrEvent, device: string, stamp: Seconds): EventTemplate {
  const { kind, tags, content } = event;
  const vector = vectorAt(seenBy(event), device, stamp);
  return { kind, created_at: stamp, tags: restampedTags(tags, vector), content };
}

/** The tombstone of a value that has ended. `content` is its encrypted `null`. */
export function endOf(event: NostrEvent, voids: Voids, content: string): EventTemplate {
  const again = renewalOf(event, voids);
  return { ...again, tags: endedTags(again.tags), content };
}

/**
 * Whether `event` says what `former` says: its renewal, or another tombstone of the same value. A removal by a copy of the writer's store
 * has the same tags, and is a write.
 */
export function isRenewalOf(event: NostrEvent, former: NostrEvent): boolean {
  const isSame = event.content === former.content || (isTombstone(former) && isTombstoneAgain(event));
  return isSame && hasSameTags(event, former);
}

/** A tombstone that is no write by its own word, or says nothing of that. */
const isTombstoneAgain = (event: NostrEvent): boolean =>
  isTombstone(event) && (vectorOf(event) === undefined || renewedBy(event) > 0);

/** How far an event is stamped above the write that it says again; 0 for a write, and if its writer keeps no vectors. */
export function renewedBy(event: NostrEvent): Seconds {
  const written = vectorOf(event)?.get(writerOf(event));
  return event.created_at - (written ?? event.created_at);
}
