/**
 * Which relays carry messages between devices: each is sent one by this device to itself, and must show it. Many refuse kind 24134, or
 * keys that they do not know, or take an event and hand it to no one else; nothing else tells.
 */

import type { RelayUrl } from '../protocol/address.ts';
import { ECHO_MS, MAX_PAIRING_RELAYS, SETTLE_MS } from '../protocol/limits.ts';
import { onAbort } from './abort.ts';
import { createDeferred } from './deferred.ts';
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
  /** Those that have neither shown it nor refused it. */
  const silent = new Set(options.relays.keys());
  const looked = createDeferred<void>();
  let cancelSettling = (): void => undefined;
  const spoke = (url: RelayUrl): void => {
    if (silent.delete(url) && silent.size === 0) looked.resolve();
  };
  const mailbox = openMailbox({
    ...options,
    onMessage: (heard, url) => {
      if (heard.message.type !== 'echo') return options.onMessage(heard, url);
      if (heard.from !== mailbox.pubkey) return;
      if (echoed.size === 0) cancelSettling = clock.after(SETTLE_MS, looked.resolve);
      echoed.add(url);
      spoke(url);
    },
    onAnswer: (url, { type }) => {
      if (type !== 'acknowledged') spoke(url);
    },
  });
  // Each its own event: one that came from another relay before would not be heard.
  for (const url of options.relays.keys()) mailbox.send(mailbox.pubkey, { type: 'echo' }, url);
  const cancelWaiting = clock.after(2 * ECHO_MS, looked.resolve);
  const ignoreSignal = onAbort(signal, looked.resolve);
  if (silent.size === 0) looked.resolve();
  await looked.promise;
  ignoreSignal();
  cancelWaiting();
  cancelSettling();
  const relays = [...echoed].slice(0, MAX_PAIRING_RELAYS);
  const troubles = mailbox.reasons();
  const reasons: Record<string, string> = {};
  for (const url of options.relays.keys()) {
    if (!echoed.has(url)) reasons[url] = troubles[url] ?? 'it took the event and did not show it';
    if (!relays.includes(url)) mailbox.drop(url);
  }
  return { mailbox, relays, reasons };
}
