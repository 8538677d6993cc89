/** What a window listens to: values and events, by channels of its own. No other window hears what comes by them, nor can it send by them. */

import type { Ipc } from './ipc.ts';

/** Has Rust send what `command` is for. `onMessage` gets what was sent. Resolves with how to stop. */
export type Listen = (
  command: 'subscribe' | 'listen',
  args: Readonly<Record<string, unknown>>,
  onMessage: (message: unknown) => void,
) => Promise<() => void>;

export function createListen(ipc: Ipc): Listen {
  return async (command, args, onMessage) => {
    let isStopped = false;
    let number: number | undefined;

    const channel = (): unknown =>
      ipc.channel((message) => {
        if (isStopped) return;
        if (typeof message === 'string') onMessage(JSON.parse(message));
        // Rust took this page for one that is being left, as before a download: it goes on.
        else if (message === null) start().catch(() => undefined);
      });

    async function start(): Promise<void> {
      number = (await ipc.invoke(command, { ...args, channel: channel() })) as number;
      if (isStopped) end();
    }

    function end(): void {
      ipc.invoke('unsubscribe', { number }).catch(() => undefined);
    }

    await start();
    return () => {
      if (isStopped) return;
      isStopped = true;
      end();
    };
  };
}
