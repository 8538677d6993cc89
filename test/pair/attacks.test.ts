/** Who may want the key: a relay, a person who has seen the QR code, one who sits in between, one who sends a link. */

import { hexToBytes } from '@noble/hashes/utils.js';
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { publicKeyOf } from '../../src/crypto/schnorr.ts';
import { agreementOf } from '../../src/pair/derivations.ts';
import { parseInvitation } from '../../src/pair/invitation-uri.ts';
import { openMailbox } from '../../src/pair/mailbox.ts';
import type { PairingMessage } from '../../src/pair/message.ts';
import type { RelayUrl } from '../../src/protocol/address.ts';
import type { SignedEvent } from '../../src/protocol/event.ts';
import { createSecretKeySigner } from '../../src/signer/secret-key.ts';
import { createRandom } from '../support/random.ts';
import { failure, KEY, paired, world, type World } from './harness.ts';

const OTHER_KEY = '4b22aa260e4acb7021e32f38a6cdf4b673c6a277755bfce287e370c924dc936d';

test('a person who has photographed the QR code is first, and still gets nothing', async () => {
  const here = world();
  const invitation = await here.during(here.invite());
  const thief = here.join(invitation.uri, { name: "Anna's phone", deviceId: 'thief' });
  await here.during(thief.digits);
  await here.clock.advance(500);
  const phone = here.join(invitation.uri);
  // The user reads the own phone, as always.
  const error = await failure(here.during(invitation.confirm(await here.during(phone.digits))));
  expect(error).toMatchObject({ code: 'PAIRING_DIGITS' });
  expect(await failure(here.during(thief.inviter))).toMatchObject({ code: 'PAIRING_DIGITS' });
  await here.clock.advance(121_000);
  expect(await failure(phone.inviter)).toMatchObject({ code: 'PAIRING_EXPIRED' });
  await here.expectNothingLeft();
});

test('a person who comes second is not heard, and the pair goes on', async () => {
  const here = world();
  const invitation = await here.during(here.invite());
  const phone = here.join(invitation.uri);
  const digits = await here.during(phone.digits);
  await here.clock.advance(500);
  const thief = here.join(invitation.uri, { deviceId: 'thief' });
  await here.during(thief.digits);
  await here.during(invitation.confirm(digits));
  await here.during(phone.inviter);
  await here.during(phone.accept());
  expect(await here.during(invitation.done)).toMatchObject({ deviceId: 'phone-1' });
  await here.clock.advance(121_000);
  expect(await failure(thief.inviter)).toMatchObject({ code: 'PAIRING_EXPIRED' });
  await here.expectNothingLeft();
});

test('a device in between, whose own QR code the phone was shown, is told by the digits', async () => {
  const here = world();
  const invitation = await here.during(here.invite());
  // It joins the laptop, and invites the phone with an invitation of its own.
  const toLaptop = here.join(invitation.uri, { deviceId: 'between' });
  const toPhone = await here.during(here.invite({ key: hexToBytes(OTHER_KEY) }));
  const phone = here.join(toPhone.uri);
  const [shown, own] = [await here.during(phone.digits), await here.during(toLaptop.digits)];
  expect(shown).not.toBe(own);
  expect(await failure(here.during(invitation.confirm(shown)))).toMatchObject({ code: 'PAIRING_DIGITS' });
  expect(await failure(here.during(toLaptop.inviter))).toMatchObject({ code: 'PAIRING_DIGITS' });
  toPhone.cancel();
  await here.during(failure(phone.inviter));
  await here.expectNothingLeft();
});

test('what digits alone do not protect: a device in between that replaced the QR code tries keys until they fit', () => {
  // Nothing is sent while it tries, so nobody notices. Of two digits every hundredth key fits: of six every millionth, which a fast
  // computer has in a second. That is why the QR code has to be scanned from the screen of the device that has the key.
  const random = createRandom(21);
  const laptop = random.bytes(32);
  const holder = publicKeyOf(laptop);
  const secret = random.bytes(32);
  const phoneShows = '863346';
  let tries = 0;
  for (let fits = false; !fits; tries++) {
    const key = random.bytes(32);
    const { digits } = agreementOf({
      ...{ secret, ownKey: key, peer: holder },
      ...{ holder, joiner: publicKeyOf(key) },
    });
    fits = digits.slice(-2) === phoneShows.slice(-2);
    expect(tries).toBeLessThan(2_000);
  }
  expect(tries).toBeGreaterThan(0);
});

test('a relay cannot join, answer in the place of another, or alter what is said', async () => {
  const here = world();
  const invitation = await here.during(here.invite());
  const { holder } = parseInvitation(invitation.uri, false);
  const relay = here.relays[here.urls[0]!]!;
  relay.misbehave({
    rewrite: (frame) => {
      if (frame[0] !== 'EVENT') return [frame];
      const [, id, event] = frame as [string, string, SignedEvent];
      // Forged copies first, then twice the genuine one.
      const altered = { ...event, content: `${event.content.slice(0, -8)}AAAAAAA=` };
      const ofAnother = { ...event, pubkey: holder };
      return [['EVENT', id, altered], ['EVENT', id, ofAnother], ['EVENT', id, { junk: 1 }], frame, frame];
    },
  });
  const { joined } = await paired(here, invitation);
  expect(joined.key).toEqual(hexToBytes(KEY));
  await here.expectNothingLeft();
});

/** What a stranger, who may be the relay, says to a device in the mailbox of its code. */
async function intrude(
  here: World,
  mailbox: string,
  message: PairingMessage,
): Promise<{ readonly stranger: string }> {
  const key = randomBytes(32);
  const stranger = publicKeyOf(key);
  const signer = createSecretKeySigner(nodePrimitives, here.ports.randomBytes, key);
  const event = await signer.signEvent({
    kind: 24_134,
    created_at: Math.floor(here.clock.now() / 1_000),
    tags: [['p', mailbox]],
    content: await signer.nip44.encrypt(mailbox, JSON.stringify(message)),
  });
  const relay = here.relays[here.urls[0]!]!;
  const asked = JSON.stringify({ kinds: [24_134], authors: [mailbox] });
  const request = framesTo(here).find(
    ([type, , filter]) => type === 'REQ' && JSON.stringify(filter) === asked,
  );
  relay.misbehave({ flood: { everyMs: 500, frames: () => [['EVENT', request![1], event]] } });
  return { stranger };
}

const framesTo = (here: World): readonly (readonly unknown[])[] =>
  here.relays[here.urls[0]!]!.frames.flatMap(({ direction, frame }) =>
    direction === 'in' ? [(Array.isArray(frame) ? frame : JSON.parse(String(frame))) as unknown[]] : [],
  );

/** The key of the mailbox that the last REQ asks for. */
const mailboxOf = (here: World): string => {
  const authors = framesTo(here).flatMap(([type, , filter]) =>
    type === 'REQ' ? ((filter as { readonly authors?: readonly string[] }).authors ?? []) : [],
  );
  return authors.at(-1)!;
};

test('a relay that answers to a typed code in the place of the holder is not heard', async () => {
  const here = world();
  const own = await here.during(here.invite({ key: hexToBytes(OTHER_KEY), name: "Anna's laptop" }));
  const joining = here.join('7KQ4-M2XW-9RXR');
  await here.clock.advance(1_000);
  await intrude(here, mailboxOf(here), { type: 'invite', uri: own.uri });
  expect(await failure(here.during(joining.digits, 31_000))).toMatchObject({ code: 'PAIRING_EXPIRED' });
  here.relays[here.urls[0]!]!.behave();
  own.cancel();
  await here.expectNothingLeft();
});

test('a relay that asks for the invitation of a typed code gets nothing', async () => {
  const here = world();
  const invitation = await here.during(here.invite({ carrier: 'code' }));
  await here.clock.advance(1_000);
  const { stranger } = await intrude(here, mailboxOf(here), { type: 'hello' });
  await here.clock.advance(5_000);
  expect(JSON.stringify(framesTo(here))).not.toContain(stranger);
  here.relays[here.urls[0]!]!.behave();
  invitation.cancel();
  await here.expectNothingLeft();
});

test('what is said again under another stamp has no signature, and is not heard', async () => {
  const here = world();
  const relays = new Map(here.urls.map((url) => [url as RelayUrl, url]));
  const filter = (pubkey: string) => ({ kinds: [24_134], '#p': [pubkey] });
  const heard: PairingMessage[] = [];
  const open = (key: Uint8Array) =>
    openMailbox({
      ...{ key, relays, filter, ports: here.ports },
      onMessage: ({ message }) => heard.push(message),
    });
  const [from, to] = [open(randomBytes(32)), open(randomBytes(32))];
  here.relays[here.urls[0]!]!.misbehave({
    rewrite: (frame) => {
      if (frame[0] !== 'EVENT') return [frame];
      const [, id, event] = frame as [string, string, SignedEvent];
      const later = { ...event, created_at: event.created_at + 1 };
      return [['EVENT', id, { ...later, id: here.ports.verifier.hash(later) }], frame, frame];
    },
  });
  await here.clock.advance(1_000);
  from.send(to.pubkey, { type: 'hello' });
  await here.clock.advance(1_000);
  expect(heard).toEqual([{ type: 'hello' }]);
  from.close();
  to.close();
});

test('an invitation of a stranger asks first: nothing is joined without a yes', async () => {
  const here = world();
  const stranger = await here.during(here.invite({ key: hexToBytes(OTHER_KEY), name: 'Free coins' }));
  const joining = here.join(stranger.uri);
  await here.during(stranger.confirm(await here.during(joining.digits)));
  expect(await here.during(joining.inviter)).toEqual({
    name: 'Free coins',
    pubkey: publicKeyOf(hexToBytes(OTHER_KEY)),
  });
  joining.cancel();
  expect(await failure(joining.accept())).toMatchObject({ code: 'PAIRING_CANCELLED' });
  expect(await failure(here.during(stranger.done))).toMatchObject({
    code: 'PAIRING_CANCELLED',
    details: { by: 'other-device' },
  });
  await here.expectNothingLeft();
});

test('a device name of another device does not act where it is shown', async () => {
  const here = world();
  for (const name of ['\u001b[2Jx', 'a\nb', '\u202egpj', 'x'.repeat(65), ''])
    await expect(here.invite({ name })).rejects.toThrow(/Invalid name/);
});
