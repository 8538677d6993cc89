/** The signer of a device: the user's key, slowly, and with the faults that signers have. */

import type { EventTemplate, NostrEvent } from '../../src/protocol/event.ts';
import type { Signer } from '../../src/signer/signer.ts';
import type { Chance } from './chance.ts';
import { never, type Process } from './machine.ts';
import { MARKER } from './oracle.ts';
import type { SignerFault } from './scenario.ts';
import type { World } from './world.ts';

export interface SignerPorts {
  readonly name: string;
  readonly world: World;
  readonly chance: Chance;
  /** Most that it takes for a call, in ms. */
  readonly signerMs: number;
  readonly fault: () => SignerFault | 'none';
  /** It is called. May kill the process. */
  readonly onCall: (process: Process) => void;
}

/** @param state What is asked of it once it is cleared is a violation. @param written Takes the ids of what it signs. */
export function createSigner(
  ports: SignerPorts,
  process: Process,
  state: { isCleared: boolean },
  written: Set<string>,
): Signer {
  const { name, chance } = ports;
  const { cipher, oracle, count } = ports.world;
  const work = <T>(what: string, honest: () => Promise<T>, lie: () => Promise<T>): Promise<T> => {
    if (!process.isAlive()) return never();
    if (state.isCleared) oracle.violate('I15', `${name}: ${what} after the signer was cleared`);
    ports.onCall(process);
    if (!process.isAlive()) return never();
    const fault = ports.fault();
    if (fault !== 'none') count(`fault: signer ${fault}`);
    if (fault === 'hang') return never();
    const delayMs = fault === 'slow' ? 20_000 : chance.int(0, ports.signerMs);
    return new Promise((resolve, reject) => {
      const act = (): void => {
        if (fault === 'throw') reject(new Error(`the signer refuses: ${MARKER}`));
        else (fault === 'lie' ? lie() : honest()).then(resolve, reject);
      };
      if (delayMs === 0) act();
      else process.after(delayMs, act);
    });
  };
  const lieAboutEvent = async (template: EventTemplate): Promise<NostrEvent> =>
    chance.bool(0.5)
      ? cipher.stranger.sign(template)
      : { ...(await cipher.user.sign({ ...template, content: 'other' })), content: template.content };
  return {
    getPublicKey: () =>
      work(
        'getPublicKey',
        async () => cipher.user.pubkey,
        async () => cipher.user.pubkey,
      ),
    signEvent: (template) =>
      work(
        'signEvent',
        async () => {
          const event = await cipher.user.sign(template);
          oracle.onSign(name, event);
          // What no app asked for is news to it, if it is told at all.
          if (oracle.signed.get(event.id)?.again === undefined) written.add(event.id);
          return event;
        },
        () => lieAboutEvent(template),
      ),
    nip44: {
      encrypt: (_peer, plaintext) =>
        work(
          'encrypt',
          async () => {
            const content = await cipher.user.encrypt(plaintext);
            oracle.onEncrypt(plaintext, content);
            return content;
          },
          async () => plaintext,
        ),
      decrypt: (_peer, ciphertext) =>
        work(
          'decrypt',
          () => cipher.user.decrypt(ciphertext),
          async () => 'not JSON',
        ),
    },
    wipe: () => {
      state.isCleared = true;
    },
  };
}
