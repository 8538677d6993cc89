/** What goes over a socket, counted; and other ways to ask a relay for values, over such sockets: nostr-tools' pool, and the original plugin's. */

import { SimplePool } from 'nostr-tools/pool';

/** Counts what goes through the sockets that it opens: characters both ways, and at how many moments something was asked. */
export function createMeter(openSocket, clock) {
  let bytes = 0;
  let askedAt = new Set();
  return {
    openSocket: (url, handlers) => {
      const onMessage = (text) => {
        bytes += text.length;
        handlers.onMessage(text);
      };
      const socket = openSocket(url, { ...handlers, onMessage });
      const send = (text) => {
        bytes += text.length;
        if (/^\["(REQ|NEG-OPEN|NEG-MSG)"/.test(text)) askedAt.add(clock.now());
        socket.send(text);
      };
      return { ...socket, send };
    },
    /** Since the last call. */
    take: () => {
      const taken = { bytes, roundTrips: askedAt.size };
      bytes = 0;
      askedAt = new Set();
      return taken;
    },
  };
}

/** A `WebSocket` as browsers have it, as far as nostr-tools uses it. */
function webSocketOver(openSocket) {
  return class {
    static CONNECTING = 0;
    static OPEN = 1;
    static CLOSING = 2;
    static CLOSED = 3;
    readyState = 0;

    constructor(url) {
      this.socket = openSocket(url, {
        onOpen: () => {
          this.readyState = 1;
          this.onopen?.({});
        },
        onMessage: (data) => this.onmessage?.({ data }),
        onPong: () => undefined,
        onClose: () => {
          this.readyState = 3;
          this.onclose?.({});
        },
      });
    }

    send(text) {
      this.socket.send(text);
    }

    close() {
      this.readyState = 2;
      this.socket.close();
    }
  };
}

/** One REQ for all, by nostr-tools. Resolves with the events. */
export async function askBySimplePool(openSocket, url, filter) {
  const pool = new SimplePool({ websocketImplementation: webSocketOver(openSocket) });
  const events = await pool.querySync([url], filter);
  pool.close([url]);
  return events;
}

/** A REQ for each category, one after the other, as the original plugin does. Resolves with the events. */
export async function askOneByOne(openSocket, url, filters) {
  const events = [];
  let onEnd;
  const socket = await new Promise((resolve) => {
    const opened = openSocket(url, {
      onOpen: () => resolve(opened),
      onMessage: (text) => {
        const [type, , event] = JSON.parse(text);
        if (type === 'EVENT') events.push(event);
        if (type === 'EOSE') onEnd();
      },
      onPong: () => undefined,
      onClose: () => undefined,
    });
  });
  for (const [i, filter] of filters.entries()) {
    const ended = new Promise((resolve) => {
      onEnd = resolve;
    });
    socket.send(JSON.stringify(['REQ', `${i}`, filter]));
    await ended;
    socket.send(JSON.stringify(['CLOSE', `${i}`]));
  }
  socket.close();
  return events;
}
