/** What a relay says to a client that is a stranger to it. */

import { once } from 'node:events';
import { WebSocket } from 'ws';

/** The frames that it says to one frame, up to one of these kinds. */
export async function says(
  url: string,
  frame: readonly unknown[],
  ...until: readonly string[]
): Promise<unknown[][]> {
  const socket = new WebSocket(url);
  await once(socket, 'open');
  const frames: unknown[][] = [];
  const isOver = new Promise<void>((resolve) => {
    socket.on('message', (data) => {
      const said = JSON.parse((data as Buffer).toString()) as unknown[];
      frames.push(said);
      if (until.includes(said[0] as string)) resolve();
    });
  });
  socket.send(JSON.stringify(frame));
  await isOver;
  socket.terminate();
  return frames;
}
