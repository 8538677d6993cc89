/** What lies between an embedded relay and the transports that carry its frames. */

import type { Clock } from '../clock.ts';

/** What a transport does for the relay on one connection. */
export interface RelayPeer {
  /** Sends a frame. */
  send(text: string): void;
  /** Closes towards the client. */
  close(reason: string): void;
}

/** What the relay does for a transport on one connection. */
export interface RelayLink {
  /** One text frame came in. */
  receive(text: string): void;
  /** Whether the relay answers a ping. */
  ping(): boolean;
  /** The client went away. */
  close(): void;
}

/** The side of a relay that transports see. */
export interface RelayPort {
  readonly clock: Clock;
  /** How long each direction takes. */
  readonly latencyMs: number;
  /** Takes a connection; `undefined` when connections are refused. */
  accept(url: string, peer: RelayPeer): RelayLink | undefined;
}
