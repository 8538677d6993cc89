/** A raw relay client for tests: frames in, frames out, over any transport. */

import { WebSocket } from 'ws';

import type { OpenSocket } from '../../src/relay/socket.ts';

export type Frame = readonly unknown[];

export interface Client {
  send(...frame: Frame): void;
  sendText(text: string): void;
  /** The next frame, in order. Rejects when the connection is gone. */
  next(): Promise<Frame>;
  /** Everything that the relay sent before it handled a frame sent now. Proves absence without sleeping. */
  drain(): Promise<readonly Frame[]>;
  /** Sends and returns the next frame. */
  ask(...frame: Frame): Promise<Frame>;
  /** Resolves with the next pong. */
  ping(): Promise<void>;
  /** Resolves once the connection is gone. */
  readonly closed: Promise<string>;
  close(): void;
}

export type Connect = () => Promise<Client>;

/** Answered by a NOTICE, which `drain` waits for. */
const MARKER = ['MARKER'];
const MARKER_ANSWER = /^\["NOTICE","(error|ERROR): unknown command"\]$/;

/** `ws` behind the Socket port, so that both transports share the client below. */
export const openWebSocket: OpenSocket = (url, handlers) => {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on('open', () => handlers.onOpen());
  socket.on('message', (data) => handlers.onMessage((data as Buffer).toString()));
  socket.on('pong', () => handlers.onPong());
  socket.on('error', () => {});
  socket.on('close', (_code, reason) => handlers.onClose(reason.toString()));
  return {
    bufferedAmount: () => 0,
    send: (text) => socket.send(text),
    ping: () => socket.ping(),
    close: () => socket.close(),
  };
};

export function connect(openSocket: OpenSocket, url: string): Promise<Client> {
  return new Promise((resolve, reject) => {
    const arrived: Frame[] = [];
    const waiting: { resolve(frame: Frame): void; reject(error: Error): void }[] = [];
    const pongs: (() => void)[] = [];
    let isClosed = false;
    let markClosed = (_reason: string): void => {};
    const closed = new Promise<string>((settle) => (markClosed = settle));

    function next(): Promise<Frame> {
      const frame = arrived.shift();
      if (frame !== undefined) return Promise.resolve(frame);
      if (isClosed) return Promise.reject(new Error('the connection is closed'));
      return new Promise((settle, fail) => waiting.push({ resolve: settle, reject: fail }));
    }

    const client: Client = {
      send: (...frame) => socket.send(JSON.stringify(frame)),
      sendText: (text) => socket.send(text),
      next,
      async drain() {
        client.send(...MARKER);
        const frames: Frame[] = [];
        for (let frame = await next(); !MARKER_ANSWER.test(JSON.stringify(frame)); frame = await next()) {
          frames.push(frame);
        }
        return frames;
      },
      ask(...frame) {
        client.send(...frame);
        return next();
      },
      ping() {
        socket.ping?.();
        return new Promise((settle) => pongs.push(settle));
      },
      closed,
      close: () => socket.close(),
    };

    const socket = openSocket(url, {
      onOpen: () => resolve(client),
      onMessage(text) {
        const frame = parse(text);
        const first = waiting.shift();
        if (first === undefined) arrived.push(frame);
        else first.resolve(frame);
      },
      onPong: () => pongs.shift()?.(),
      onClose(reason) {
        isClosed = true;
        markClosed(reason);
        for (const { reject: fail } of waiting) fail(new Error('the connection is closed'));
        reject(new Error(`Cannot connect: ${reason}`));
      },
    });
  });
}

/** Frames that are no JSON arrays come back as `['RAW', text]`. */
function parse(text: string): Frame {
  try {
    const frame: unknown = JSON.parse(text);
    return Array.isArray(frame) ? frame : ['RAW', text];
  } catch {
    return ['RAW', text];
  }
}
