/** Virtual time: tasks in the order of their due times, and all that waits for promises in between. */

export interface Schedule {
  /** Milliseconds of Unix time as an honest clock would tell it. */
  now(): number;
  /** Runs `task` after `delayMs`; among equals in the order of the calls. Returns how to cancel it. */
  after(delayMs: number, task: () => void): () => void;
  /** Lets `ms` pass. Rejects with what a task throws. */
  advance(ms: number): Promise<void>;
  /** Lets promises run, no time pass. */
  settle(): Promise<void>;
  /** Tasks run so far. */
  steps(): number;
}

interface Entry {
  readonly due: number;
  readonly order: number;
  task: (() => void) | undefined;
}

/**
 * Runs every promise job there is, however long their chains are: Node takes the next tick only when no job is left. A
 * turn of the event loop would do the same and cost system calls, by far the most expensive part of a history.
 */
const turn = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

/** @param maxSteps More tasks than this in one schedule are taken for an endless loop. */
export function createSchedule(startMs: number, maxSteps: number): Schedule {
  const heap: Entry[] = [];
  let now = startMs;
  let order = 0;
  let steps = 0;

  const isBefore = (a: Entry, b: Entry): boolean => a.due < b.due || (a.due === b.due && a.order < b.order);

  function push(entry: Entry): void {
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(entry, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
  }

  function pop(): Entry {
    const top = heap[0]!;
    const last = heap.pop()!;
    const { length } = heap;
    if (length === 0) return top;
    let i = 0;
    for (let child = 1; child < length; child = 2 * i + 1) {
      if (child + 1 < length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return top;
  }

  return {
    now: () => now,
    after: (delayMs, task) => {
      // Clocks of platforms tell, and wait for, whole milliseconds.
      const entry: Entry = { due: now + Math.max(0, Math.floor(delayMs)), order: order++, task };
      push(entry);
      return () => {
        entry.task = undefined;
      };
    },
    advance: async (ms) => {
      const until = now + ms;
      await turn();
      while (heap.length > 0 && heap[0]!.due <= until) {
        const { due, task } = pop();
        if (task === undefined) continue;
        now = due;
        if (++steps > maxSteps) throw new Error(`more than ${maxSteps} steps: an endless loop`);
        task();
        await turn();
      }
      now = until;
    },
    settle: turn,
    steps: () => steps,
  };
}
