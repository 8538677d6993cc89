/**
 * Which relays carry messages between devices: each is sent one by this device to itself, and must show it. Many refuse kind 24134, or
 * keys that they do not know, or take an event and hand it to nobody; nothing else tells.
 */

import type { RelayUrl } from '../protocol/address.ts';
import { ECHO_MS, MAX_PAIRING_RELAYS, SETTLE_MS } from '../protocol/limits.ts';
import { openMailbox, type Mailbox, type MailboxOptions } from './mailbox.ts';

export interface Echoes {
  /** Open, with the relays alone that have shown an echo. */
  readonly mailbox: Mailbox;
  /** Those relays, the quickest first. */
  readonly relays: readonly RelayUrl[];
  /** Why not, by URL of the others. */
  readonly reasons: Readonly<Record<string, string>>;
}

/**
 * Opens a mailbox and looks which relays echo. Resolves once all have, or have not in time: ECHO_MS each for opening and for the echo.
 * Once one has, the others get SETTLE_MS. `signal` ends it at once.
 */
export async function openWithEcho(
  options: MailboxOptions,
  signal: AbortSignal | undefined,
): Promise<Echoes> {
  const { clock } = options.ports;
  const echoed = new Set<RelayUrl>();
  const refusals = new Map<RelayUrl, string>();
  let looked = (): void => undefined;
  const mailbox = openMailbox({
    ...options,
    onMessage: (from, message, url) => {
      if (message.type !== 'echo') return options.onMessage(from, message, url);
      if (from === mailbox.pubkey) echoed.add(url);
      looked();
    },
  });
  for (const url of options.relays.keys())
    void mailbox.sendBy(url, mailbox.pubkey, { type: 'echo' }).then((answer) => {
      if (answer.type !== 'acknowledged') refusals.set(url, 'reason' in answer ? answer.reason : answer.type);
      looked();
    });
  const all = options.relays.size;
  await new Promise<void>((resolve) => {
    let settle = (): void => undefined;
    const finish = (): void => {
      give();
      settle();
      signal?.removeEventListener('abort', finish);
      looked = () => undefined;
      resolve();
    };
    const give = clock.after(2 * ECHO_MS, finish);
    looked = () => {
      if (echoed.size === 1) settle = clock.after(SETTLE_MS, finish);
      if (new Set([...echoed, ...refusals.keys()]).size === all) finish();
    };
    signal?.addEventListener('abort', finish);
    if (signal?.aborted === true || all === 0) finish();
  });
  const relays = [...echoed].slice(0, MAX_PAIRING_RELAYS);
  const reasons: Record<string, string> = {};
  const troubles = mailbox.reasons();
  for (const url of options.relays.keys()) {
    if (!echoed.has(url))
      reasons[url] = refusals.get(url) ?? troubles[url] ?? 'it took the event and did not show it';
    if (!relays.includes(url)) mailbox.drop(url);
  }
  return { mailbox, relays, reasons };
}
