/** The latest frames of an embedded relay, as they came in and went out. */

import type { Clock } from '../clock.ts';
import type { Client } from './relay-client.ts';

/** A frame that came to a relay, or that it has sent. */
export interface LoggedFrame {
  readonly direction: 'in' | 'out';
  /** Id of the connection. */
  readonly connection: number;
  /** Parsed JSON, or the text if it is none. */
  readonly frame: unknown;
  /** Unix time in ms. */
  readonly at: number;
}

export interface FrameLog {
  /** Oldest first. */
  readonly frames: readonly LoggedFrame[];
  add(direction: 'in' | 'out', client: Client, frame: unknown): void;
}

export function createFrameLog(size: number, clock: Clock): FrameLog {
  const frames: LoggedFrame[] = [];
  return {
    frames,
    add: (direction, client, frame) => {
      if (size === 0) return;
      frames.push({ direction, connection: client.view.id, frame, at: clock.now() });
      if (frames.length > size) frames.shift();
    },
  };
}
