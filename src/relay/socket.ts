/** The Socket port: one WebSocket to one relay, text frames only. */

export interface SocketHandlers {
  /** The connection is open. Called at most once, before any message. */
  onOpen(): void;
  /** One text frame. A binary frame is a violation: the adapter closes the socket. */
  onMessage(text: string): void;
  /** The peer answered a `ping`. */
  onPong(): void;
  /** The connection is gone or never came to be. Called exactly once, the last call. `reason` is for people. */
  onClose(reason: string): void;
}

/** One WebSocket, as an engine uses it. */
export interface Socket {
  /** Queues a text frame. Ignored when the socket is not open. */
  send(text: string): void;
  /** Asks the peer for a sign of life at protocol level, if the platform can: `ws` can, a browser cannot. */
  readonly ping?: () => void;
  /** Bytes queued and not yet handed to the network. */
  bufferedAmount(): number;
  /** Closes; `onClose` follows. Idempotent. */
  close(): void;
}

/** Opens a WebSocket to `url`. Never throws: a failure arrives as `onClose`, and never before this call returned. */
export type OpenSocket = (url: string, handlers: SocketHandlers) => Socket;
