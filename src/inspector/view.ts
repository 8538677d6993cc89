/** What the inspector shows, as data: pure functions make it, `paint.ts` puts it on the screen. Text is never HTML. */

/**
 * `undefined`: not there. A function listens, as a property: no attribute holds code. `data-key` tells an element from its siblings over
 * all changes.
 */
export type Attributes = Readonly<Record<string, string | ((event: never) => void) | undefined>>;

/** Text, or an element: its name, its attributes, and what is in it. */
export type View = string | readonly [name: string, attributes: Attributes, ...inside: View[]];

/** `what`: tells the button from others of its kind to those who do not see beside what it stands. */
export function button(text: string, what: string, onclick: () => void): View {
  return ['button', { onclick, 'aria-label': `${text}: ${what}` }, text];
}

/** A state in one word: its class, so that `style.ts` has its colour. */
export function chip(word: string): View {
  return ['i', { class: word }, word];
}

export function quiet(...inside: readonly View[]): View {
  return ['small', {}, ...inside];
}

/** What others wrote may run from right to left: it does not turn around what stands beside it. */
export function foreign(text: string, title?: string): View {
  return ['bdi', { title }, text];
}

/** `null`: not known yet. */
export function measure(count: number | null, unit: 'B' | 'ms'): string {
  return `${count?.toLocaleString() ?? '–'} ${unit}`;
}

/** ISO 8601 or Unix time in ms, as the user's clock and language have it. */
export function time(when: string | number): View {
  const date = new Date(when);
  return ['time', { datetime: date.toISOString() }, date.toLocaleString()];
}

/** The beginning of a device id or an event id; all of it for the pointer. */
export function short(id: string): View {
  return foreign(id.length > 14 ? `${id.slice(0, 8)}…` : id, id);
}

/** Names and what they stand for. */
export function facts(all: Readonly<Record<string, View>>): View {
  const rows = Object.entries(all).map(([name, value]): View => [
    'div',
    {},
    ['dt', {}, name],
    ['dd', {}, value],
  ]);
  return ['dl', {}, ...rows];
}

/** By key, each with what is in it. */
export function list(items: readonly (readonly [key: string, ...inside: View[]])[]): View {
  return items.length === 0
    ? quiet('Nothing yet')
    : ['ul', {}, ...items.map(([key, ...inside]): View => ['li', { 'data-key': key }, ...inside])];
}

export function payload(text: string | undefined): readonly View[] {
  return text === undefined ? [] : [['pre', { tabindex: '0' }, text]];
}
