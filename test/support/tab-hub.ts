/** Locks and channels between tabs, as a browser has them. When and whether something happens in a tab, its life says. */

import type { Tabs } from '../../src/tabs/tabs.ts';

export interface TabLife {
  isAlive(): boolean;
  /** Runs it in this tab, if it still lives, after the time that a lock takes. */
  whenGranted(callback: () => void): void;
  /** The same for a message. Always the same time: a channel keeps the order of one sender. */
  whenDelivered(callback: () => void): void;
  onEnd(end: () => void): void;
}

export interface TabHub {
  open(life: TabLife): Tabs;
}

interface Request {
  readonly onHeld: () => void;
  readonly onLost: (() => void) | undefined;
  readonly life: TabLife;
}

interface Member {
  readonly onMessage: (message: unknown) => void;
  readonly life: TabLife;
}

/** `copyOf`: what arrives of a message. */
export function createTabHub(copyOf: (message: unknown) => unknown = structuredClone): TabHub {
  const locks = new Map<string, Request[]>();
  const channels = new Map<string, Set<Member>>();
  const released = new WeakSet<Request>();

  function grant(name: string): void {
    const first = locks.get(name)?.[0];
    if (first === undefined) return;
    first.life.whenGranted(() => {
      if (locks.get(name)?.[0] === first) first.onHeld();
    });
  }

  function request(
    name: string,
    { isFirst, ...wanted }: Request & { readonly isFirst: boolean },
  ): () => void {
    const { life } = wanted;
    if (!life.isAlive()) return () => undefined;
    const queue = locks.get(name) ?? [];
    locks.set(name, queue);
    if (isFirst) {
      const former = queue.shift();
      queue.unshift(wanted);
      former?.life.whenGranted(() => {
        if (!released.has(former)) former.onLost?.();
      });
    } else queue.push(wanted);
    if (queue[0] === wanted) grant(name);
    const release = (): void => {
      released.add(wanted);
      const place = queue.indexOf(wanted);
      if (place === -1) return;
      queue.splice(place, 1);
      if (place === 0) grant(name);
    };
    life.onEnd(release);
    return release;
  }

  return {
    open: (life) => ({
      hold: (name, onHeld, onLost) => request(name, { onHeld, onLost, life, isFirst: false }),
      steal: (name, onHeld, onLost) => request(name, { onHeld, onLost, life, isFirst: true }),
      join: (name, onMessage) => {
        const members = channels.get(name) ?? new Set();
        channels.set(name, members);
        const member: Member = { onMessage, life };
        members.add(member);
        const close = (): void => void members.delete(member);
        life.onEnd(close);
        return {
          post: (message) => {
            if (!life.isAlive()) return;
            for (const other of members) {
              if (other === member) continue;
              const copy = copyOf(message);
              other.life.whenDelivered(() => {
                if (members.has(other)) other.onMessage(copy);
              });
            }
          },
          close,
        };
      },
    }),
  };
}
