/**
 * The engine for programs that carry a small JavaScript engine with them and no platform: the crate `nostr-sync` runs it in QuickJS.
 * `scripts/engine-bundle.mjs` makes one script of this file. What a platform would give is `native`, which the crate has set before.
 */

import './embedded/globals.ts';
import { createEventVerifier } from './embedded/verifier.ts';
import { createCallee } from './embedded/callee.ts';
import { createAnswers } from './embedded/answers.ts';
import { createClock } from './embedded/clock.ts';
import { createConnectivity } from './embedded/connectivity.ts';
import { native } from './embedded/native.ts';
import { compression, primitives, randomBytes } from './embedded/primitives.ts';
import { createSigner } from './embedded/signer.ts';
import { createSockets } from './embedded/sockets.ts';
import { createStore } from './embedded/store.ts';
import { createListening } from './embedded/listening.ts';
import { createEngine } from './nostr-sync.ts';
import type { NostrSyncOptions } from './options.ts';
import type { Category } from './state/definition.ts';
import { EVENT_TYPES } from './sync/events.ts';
import { toWire } from './wire.ts';

/** What the program says of the engine that it wants. JSON. */
interface Settings extends Pick<
  NostrSyncOptions,
  'namespace' | 'relays' | 'deviceId' | 'maxPayloadSize' | 'interop' | 'allowInsecureRelays'
> {
  readonly signer?: SignerInfo;
}

interface SignerInfo {
  readonly pubkey: string;
  /** See `Signer.isLocal`. */
  readonly isLocal: boolean;
}

/** What a script of the program has left, which ran before: the exports of a module. */
interface Given {
  readonly nostrSyncCategories?: {
    readonly options?: Exclude<NostrSyncOptions['categories'], undefined>;
    /** What `defineCategory` returned. */
    readonly [name: string]: unknown;
  };
}

/** How the program reaches a running engine. Each is called when no other JavaScript runs. */
export interface Running {
  /** Carries out a call; `native.answer` brings what comes of it. `origin`: which part of the program asks. `args`: JSON. */
  call(id: number, origin: string, method: string, args: string): void;
  /** No caller waits for that call any more. */
  cancel(id: number): void;
  /** A signer is set, or, if it is `null`, cleared. */
  signer(id: number, info: string | null): void;
  /** A timer is due. */
  timer(id: number): void;
  opened(socket: number): void;
  message(socket: number, text: string): void;
  pong(socket: number): void;
  closed(socket: number, reason: string): void;
  /** What the store or the signer answers. */
  reply(id: number, error: string | null, value: string | null): void;
  /** The network may have changed, or the machine was asleep. */
  wake(isOnline: boolean): void;
}

/** Starts an engine. Throws as `createNostrSync`: the error is `failure` of the next call. */
export function start(settingsText: string): Running {
  const { signer, namespace = 'default', ...settings } = JSON.parse(settingsText) as Settings;
  const { options: categories = {}, ...definitions } = (globalThis as Given).nostrSyncCategories ?? {};
  const { clock, due } = createClock();
  const sockets = createSockets();
  const answers = createAnswers();
  const connectivity = createConnectivity();
  const signerOf = ({ pubkey, isLocal }: SignerInfo) => createSigner(answers, pubkey, isLocal);
  const engine = createEngine<Record<string, unknown>>(
    { ...settings, namespace, categories, ...(signer && { signer: signerOf(signer) }) },
    {
      ...{ clock, compression, primitives, randomBytes },
      openSocket: sockets.open,
      verifier: createEventVerifier(),
      store: () => createStore(answers),
      connectivity: connectivity.port,
    },
  );
  const byName = new Map<string, unknown>();
  for (const definition of Object.values(definitions) as Category<never, unknown>[]) {
    engine.state(definition);
    byName.set(definition.name, definition);
  }
  for (const type of EVENT_TYPES)
    engine.on(type, (event) => native.event(type, JSON.stringify(type === 'error' ? toWire(event) : event)));
  const listening = createListening(engine);
  const callee = createCallee({
    ...{ engine, namespace, listening, clock, definitions: byName, boxes: { primitives, randomBytes } },
  });

  return {
    ...callee,
    signer: (id, info) =>
      callee.answer(
        id,
        info === null ? engine.clearSigner() : engine.setSigner(signerOf(JSON.parse(info) as SignerInfo)),
      ),
    timer: due,
    opened: sockets.opened,
    message: sockets.message,
    pong: sockets.pong,
    closed: sockets.closed,
    reply: answers.reply,
    wake: connectivity.wake,
  };
}

/** What was thrown, as JSON, for a program that cannot look at it. */
export function describeFailure(error: unknown): string {
  return JSON.stringify(toWire(error));
}
