/** Sockets between processes and relays: latency, order, cut lines, black holes, and streams that never skip a frame. */

import type { OpenSocket } from '../../src/relay/socket.ts';
import type { RelayLink, RelayPort } from '../../src/testing/relay-port.ts';
import type { Chance } from './chance.ts';
import type { Process } from './machine.ts';
import type { Schedule } from './schedule.ts';

/** A line between a device and a relay. `cut`: connections break. `hole`: what is sent vanishes without a word. */
export type LineState = 'up' | 'cut' | 'hole';

export interface Site {
  readonly url: string;
  readonly port: RelayPort;
  readonly latencyMs: number;
}

export interface Network {
  openSocket(process: Process): OpenSocket;
  setLine(device: string, url: string, state: LineState): void;
  /** Every connection of the relay breaks. */
  restart(url: string): void;
  /** Sockets that a process has not closed. */
  socketsOf(process: Process): number;
  /**
   * Relays to which the device has had an open connection since before `since` (ms) and that have not answered a question for this
   * d-tag which it sent since then.
   */
  silentOn(device: string, dTag: string, since: number): readonly string[];
  /** Whether a relay that the device is connected to has answered a REQ for this d-tag in full, since when it would send what is new. */
  hasShown(device: string, dTag: string): boolean;
  /** Those of them that it was told are open. */
  openSocketsOf(process: Process): number;
}

export interface NetworkPorts {
  readonly schedule: Schedule;
  readonly chance: Chance;
  readonly sites: readonly Site[];
  /** Whether the platform's sockets can ping. */
  readonly hasPing: (device: string) => boolean;
  /** A process opens a socket. */
  readonly onConnect: (process: Process, url: string) => void;
  /** A process hands a frame to its socket. May kill the process. */
  readonly onSend: (process: Process, url: string, frame: string) => void;
  /** A frame arrives at a relay. */
  readonly onArrive: (process: Process, url: string, frame: string) => void;
  /** A frame is about to be handed to a process. May kill the process. */
  readonly onReceive: (process: Process, url: string, frame: string) => void;
  /** Hands it over: what the process does with it happens within. */
  readonly hand: (process: Process, url: string, frame: string, task: () => void) => void;
}

interface Line {
  readonly process: Process;
  readonly url: string;
  isOpen: boolean;
  /** Broken, whether the process was told or not. */
  isCut: boolean;
  readonly since: number;
  /** REQs by subscription, and those that were answered, oldest first. */
  readonly asked: Map<string, Question>;
  readonly answered: Question[];
  /** The relay sent a challenge, and has not accepted an AUTH since: what it answers is no complete answer. */
  isChallenged: boolean;
  /** The id of the AUTH event that was sent last. */
  auth: string | undefined;
  /** Breaks it at both ends, with what is under way. */
  readonly cut: (reason: string) => void;
}

/** Whether a frame begins a reconciliation of all that the user has on a relay. */
export function isForAll(frame: string): boolean {
  return frame.startsWith('["NEG-OPEN"') && !frame.includes('"ids"') && !frame.includes('"#d"');
}

interface Question {
  readonly frame: string;
  readonly sentAt: number;
}

export function createNetwork(ports: NetworkPorts): Network {
  const { schedule, chance } = ports;
  const sites = new Map(ports.sites.map((site) => [site.url, site]));
  const states = new Map<string, LineState>();
  const open = new Set<Line>();
  const stateOf = (process: Process, url: string): LineState =>
    states.get(`${process.machine.name} ${url}`) ?? 'up';

  function noteSent(line: Line, frame: string): void {
    line.auth = /^\["AUTH",.*"id":"([0-9a-f]{64})"/.exec(frame)?.[1] ?? line.auth;
    const id = /^\["(?:REQ|NEG-OPEN)","(n?\d+)"/.exec(frame)?.[1];
    if (id !== undefined) line.asked.set(id, { frame, sentAt: schedule.now() });
  }

  function noteReceived(line: Line, frame: string): void {
    if (frame.startsWith('["AUTH"')) line.isChallenged = true;
    if (line.auth !== undefined && frame.startsWith(`["OK","${line.auth}",true`)) line.isChallenged = false;
    const id = /^\["(?:EOSE|NEG-MSG)","(n?\d+)"/.exec(frame)?.[1];
    const question = id === undefined ? undefined : line.asked.get(id);
    if (question === undefined) return;
    line.asked.delete(id!);
    if (!line.isChallenged) line.answered.push(question);
  }

  const openSocket =
    (process: Process): OpenSocket =>
    (url, handlers) => {
      const site = sites.get(url)!;
      ports.onConnect(process, url);
      let link: RelayLink | undefined;
      let isClosing = false;
      let isOver = false;
      /** A frame was lost in a hole: nothing that comes after it can be delivered. */
      let isDead = false;
      let bufferedAmount = 0;
      const lastDue = { up: 0, down: 0 };

      const over = process.guard((reason: string) => {
        if (isOver) return;
        isOver = true;
        open.delete(line);
        handlers.onClose(reason);
      });
      const line: Line = {
        process,
        url,
        isOpen: false,
        isCut: false,
        since: schedule.now(),
        asked: new Map(),
        answered: [],
        isChallenged: false,
        auth: undefined,
        cut: (reason) => {
          isDead = true;
          line.isCut = true;
          link?.close();
          link = undefined;
          schedule.after(site.latencyMs, () => over(reason));
        },
      };

      /** Carries a task over one direction: in order, and not at all on a dead line. */
      function carry(direction: 'up' | 'down', task: () => void, size = 0): void {
        const jitterMs = chance.bool(0.2) ? chance.int(0, site.latencyMs) : 0;
        const due = Math.max(lastDue[direction], schedule.now() + site.latencyMs + jitterMs);
        lastDue[direction] = due;
        if (direction === 'up') bufferedAmount += size;
        schedule.after(due - schedule.now(), () => {
          if (stateOf(process, url) === 'hole') isDead = true;
          if (isDead) return;
          if (direction === 'up') bufferedAmount -= size;
          task();
        });
      }

      open.add(line);
      process.onEnd(() => {
        open.delete(line);
        // The machine says so to the other end, or, without power, the relay finds out later.
        schedule.after(chance.bool(0.5) ? site.latencyMs : 30_000, () => link?.close());
      });
      schedule.after(site.latencyMs * 2, () => {
        const state = stateOf(process, url);
        if (state === 'cut') return over('unreachable');
        if (state === 'hole' || isDead || isClosing || !process.isAlive()) return;
        link = site.port.accept(url, {
          send: (text) =>
            carry(
              'down',
              process.guard(() => {
                if (isOver || isClosing) return;
                noteReceived(line, text);
                ports.onReceive(process, url, text);
                if (process.isAlive()) ports.hand(process, url, text, () => handlers.onMessage(text));
              }),
            ),
          close: (reason) => carry('down', () => over(reason)),
        });
        if (link === undefined) return over('connection refused');
        process.guard(() => {
          if (isOver || isClosing) return;
          line.isOpen = true;
          handlers.onOpen();
        })();
      });

      return {
        bufferedAmount: () => bufferedAmount,
        send: (text) => {
          if (!process.isAlive() || link === undefined || isClosing || isOver) return;
          noteSent(line, text);
          ports.onSend(process, url, text);
          if (process.isAlive())
            carry(
              'up',
              () => {
                if (link !== undefined) ports.onArrive(process, url, text);
                link?.receive(text);
              },
              text.length,
            );
        },
        ...(ports.hasPing(process.machine.name) && {
          ping: () => {
            if (!process.isAlive() || link === undefined || isClosing || isOver) return;
            carry('up', () => {
              if (link?.ping() === true)
                carry(
                  'down',
                  process.guard(() => {
                    if (!isOver && !isClosing) handlers.onPong();
                  }),
                );
            });
          },
        }),
        close: () => {
          if (isClosing || isOver || !process.isAlive()) return;
          isClosing = true;
          open.delete(line);
          carry('up', () => link?.close());
          process.after(site.latencyMs, () => over('closed by this side'));
        },
      };
    };

  return {
    openSocket,
    setLine: (device, url, state) => {
      states.set(`${device} ${url}`, state);
      if (state !== 'cut') return;
      for (const line of open)
        if (line.url === url && line.process.machine.name === device) line.cut('reset');
    },
    restart: (url) => {
      for (const line of open) if (line.url === url) line.cut('relay restarts');
    },
    silentOn: (device, dTag, since) =>
      // The newest by relay. A tab that is suspended keeps its own, whatever the others do with theirs.
      [
        ...new Map(
          [...open]
            .filter(({ process }) => process.machine.name === device && !process.isSuspended())
            .map((line) => [line.url, line]),
        ).values(),
      ]
        .filter((line) => line.isOpen && !line.isCut && line.since < since)
        .filter(
          ({ answered }) =>
            !answered.some(
              ({ frame, sentAt }) =>
                sentAt >= since && (frame.includes(JSON.stringify(dTag)) || isForAll(frame)),
            ),
        )
        .map(({ url }) => url),
    hasShown: (device, dTag) =>
      [...open].some(
        ({ process, isOpen, answered }) =>
          isOpen &&
          process.machine.name === device &&
          answered.some(
            ({ frame }) =>
              frame.startsWith('["REQ"') &&
              !frame.includes('"limit"') &&
              frame.includes(JSON.stringify(dTag)),
          ),
      ),
    openSocketsOf: (process) => [...open].filter((line) => line.process === process && line.isOpen).length,
    socketsOf: (process) => [...open].filter((line) => line.process === process).length,
  };
}
