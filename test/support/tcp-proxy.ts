/** A TCP proxy on loopback that treats what passes as bad networks do. */

import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** What happens to bytes in both directions, and to new connections. */
export type Weather =
  | { readonly type: 'clear' }
  /** Connections stay, also new ones, and no byte passes any more: half-open, or a black hole. */
  | { readonly type: 'silent' }
  /** Every piece is cut into pieces of this many bytes, each sent by itself. */
  | { readonly type: 'sliced'; readonly bytes: number }
  /** Bytes a second, in each direction. */
  | { readonly type: 'slow'; readonly bytesPerSecond: number };

export interface TcpProxy {
  readonly port: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  change(weather: Weather): void;
  /** No byte of the connections so far passes any more, in any weather, and neither side is told. */
  forget(): void;
  /** RST to both sides of every connection. */
  reset(): void;
  close(): Promise<void>;
}

const TICK_MS = 10;

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  let weather: Weather = { type: 'clear' };
  let accepted = 0;
  let forgotten = 0;
  const sockets = new Set<Socket>();

  function keep(socket: Socket): Socket {
    sockets.add(socket.setNoDelay(true));
    return socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  }

  /** Carries bytes from one side to the other, as the weather is at the time. */
  async function carry(from: Socket, to: Socket): Promise<void> {
    const number = accepted;
    const isSilent = (): boolean => weather.type === 'silent' || number <= forgotten;
    try {
      for await (const chunk of from) {
        for (let rest = chunk as Buffer; rest.length > 0;) {
          // What was held back is lost: a packet that comes so late finds nobody.
          if (isSilent()) break;
          const length =
            weather.type === 'sliced'
              ? weather.bytes
              : weather.type === 'slow'
                ? Math.max(1, Math.floor((weather.bytesPerSecond * TICK_MS) / 1_000))
                : rest.length;
          to.write(rest.subarray(0, length));
          rest = rest.subarray(length);
          if (weather.type === 'slow') await new Promise((resolve) => setTimeout(resolve, TICK_MS));
          else if (weather.type === 'sliced') await new Promise((resolve) => setImmediate(resolve));
        }
      }
      if (!isSilent()) to.end();
    } catch {
      to.destroy();
    }
  }

  const server = createServer({ noDelay: true }, (client) => {
    accepted++;
    keep(client);
    // Not even a handshake is answered.
    if (weather.type === 'silent') return void client.resume();
    const target = keep(connect(targetPort, '127.0.0.1'));
    void carry(client, target);
    void carry(target, client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    port: (server.address() as AddressInfo).port,
    get accepted() {
      return accepted;
    },
    change: (next) => {
      weather = next;
    },
    forget: () => {
      forgotten = accepted;
    },
    reset: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
