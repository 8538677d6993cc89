/** `test/vectors/convergence.json`: in whatever order events arrive, the head, what is shown, and what is told as lost. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { secretKeySigner } from '../../src/node.ts';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import type { Address } from '../../src/protocol/address.ts';
import { deviceHash } from '../../src/protocol/causality.ts';
import { checkEvent, type NostrEvent, type VerifiedEvent } from '../../src/protocol/event.ts';
import { createEventVerifier } from '../../src/protocol/event-verifier.ts';
import { formatOf, isExpired, isTombstone } from '../../src/protocol/header.ts';
import { reconcile } from '../../src/sync/heads/reconcile.ts';
import { parseRecord, serializeRecord, verifyRecord } from '../../src/sync/heads/record-codec.ts';
import { EMPTY_RECORD, readableOf, type HeadRecord } from '../../src/sync/heads/record.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { aRelay, anAddress } from '../names.ts';

interface Case {
  readonly name: string;
  readonly own: { readonly event: NostrEvent; readonly acknowledged: boolean } | null;
  readonly events: readonly NostrEvent[];
  readonly head: string;
  readonly shown: { readonly value: unknown } | { readonly absent: true };
  readonly arrivals: readonly {
    readonly order: readonly number[];
    readonly conflicts: readonly { readonly mine: string; readonly theirs: string }[];
  }[];
}

const kit = JSON.parse(readFileSync(new URL('../vectors/convergence.json', import.meta.url), 'utf8')) as {
  readonly secretKey: string;
  readonly pubkey: string;
  readonly deviceId: string;
  readonly dTag: string;
  readonly now: number;
  readonly cases: readonly Case[];
};
const { pubkey, dTag, now } = kit;
const signer = secretKeySigner(kit.secretKey);
const verifier = createEventVerifier(nodePrimitives);

function verified(event: NostrEvent): VerifiedEvent {
  const check = checkEvent(event, {
    pubkey,
    isAsked: (asked): asked is Address => asked === dTag,
    known: () => undefined,
    verifier,
  });
  if (check.type !== 'new') throw new Error(`${event.id} is not genuine`);
  return check.event;
}

function started(own: Case['own']): HeadRecord | undefined {
  if (own === null) return undefined;
  const event = verified(own.event);
  const { id, created_at: stamp } = event;
  const device = deviceHash(kit.deviceId);
  return {
    ...EMPTY_RECORD,
    head: versionOf(event),
    own: { device, id, stamp, acknowledged: own.acknowledged, lost: false },
  };
}

async function shownBy(record: HeadRecord | undefined): Promise<Case['shown']> {
  const event = readableOf(record);
  if (event === undefined || isTombstone(event) || isExpired(event, now)) return { absent: true };
  return { value: JSON.parse(await signer.nip44.decrypt(pubkey, event.content)) as unknown };
}

test.each(kit.cases)('$name', async ({ own, events, head, shown, arrivals }) => {
  for (const { order, conflicts } of arrivals) {
    let record = started(own);
    const told: unknown[] = [];
    for (const event of order.map((i) => verified(events[i]!))) {
      const relay = aRelay('wss://relay.example');
      const outcome = reconcile(record, { type: 'shown', relay, event, relays: [relay] }, undefined);
      for (const effect of outcome.effects)
        if (effect.type === 'conflict') told.push({ mine: effect.mine.id, theirs: effect.theirs.id });
      const type = formatOf(event) === undefined ? 'read' : 'unreadable';
      record = reconcile(outcome.record, { type, id: event.id }, undefined).record;
      // Over a restart between any two.
      record = verifyRecord(parseRecord(serializeRecord(record!))!, {
        pubkey,
        dTag: anAddress(dTag),
        verifier,
      });
    }
    expect(
      { head: record?.head?.event.id, shown: await shownBy(record), conflicts: told },
      String(order),
    ).toEqual({
      head,
      shown,
      conflicts,
    });
  }
});
