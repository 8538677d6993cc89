/** AUTH (NIP-42) for the leading tab, if it has no signer: a tab that has one signs. */

import type { Clock } from '../../clock.ts';
import type { EventTemplate } from '../../protocol/event.ts';
import { FIND_SIGNER_MS, SIGNER_TIMEOUT_MS } from '../../protocol/limits.ts';
import type { SignedAuth } from '../../relay/auth.ts';

export interface AuthSigning {
  /** `undefined`: no tab with a signer turned up in time, or all of them refused. */
  sign(template: EventTemplate): Promise<SignedAuth>;
  /** The answer of the tab that was asked. */
  signed(id: number, event: SignedAuth): void;
  /** A tab with a signer turned up. */
  signerFound(): void;
  /** This tab has died. */
  buried(tab: string): void;
  /** A signer was set here: it signs what no tab was asked for. */
  signHere(): void;
  close(): void;
}

interface Signing {
  readonly template: EventTemplate;
  /** The tab that was asked. */
  to: string | undefined;
  readonly settle: (event: SignedAuth) => void;
}

export function createAuthSigning(ports: {
  readonly clock: Clock;
  /** A tab that has a signer. */
  readonly find: () => string | undefined;
  readonly ask: (tab: string, id: number, template: EventTemplate) => void;
  /** The signer of this tab is gone. */
  readonly onGone: (tab: string) => void;
  /** Signs here. */
  readonly signAuth: (template: EventTemplate) => Promise<SignedAuth>;
}): AuthSigning {
  const { clock } = ports;
  let nextId = 0;
  const signings = new Map<number, Signing>();

  /** Asks one tab at a time: no person is asked twice for one signature. */
  function assign(id: number, signing: Signing): boolean {
    signing.to = ports.find();
    if (signing.to === undefined) return false;
    ports.ask(signing.to, id, signing.template);
    return true;
  }

  return {
    sign: (template) =>
      new Promise((resolve) => {
        const id = nextId++;
        let cancel = (): void => undefined;
        const signing: Signing = {
          template,
          to: undefined,
          settle: (event) => {
            cancel();
            signings.delete(id);
            resolve(event);
          },
        };
        cancel = clock.after(FIND_SIGNER_MS, () => {
          if (signing.to === undefined) signing.settle(undefined);
          else cancel = clock.after(SIGNER_TIMEOUT_MS, () => signing.settle(undefined));
        });
        signings.set(id, signing);
        assign(id, signing);
      }),
    signed: (id, event) => {
      const signing = signings.get(id);
      if (signing === undefined) return;
      if (event !== undefined) return signing.settle(event);
      // The next one is asked.
      ports.onGone(signing.to!);
      if (!assign(id, signing)) signing.settle(undefined);
    },
    signerFound: () => {
      for (const [id, signing] of signings) if (signing.to === undefined) assign(id, signing);
    },
    buried: (tab) => {
      for (const [id, signing] of signings) {
        if (signing.to === tab && !assign(id, signing)) signing.settle(undefined);
      }
    },
    signHere: () => {
      for (const { to, template, settle } of signings.values()) {
        if (to === undefined) void ports.signAuth(template).then(settle);
      }
    },
    close: () => {
      for (const { settle } of signings.values()) settle(undefined);
    },
  };
}
