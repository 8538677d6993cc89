/** What the engine takes for granted of any platform and QuickJS does not have. Must be the first import of the bundle. */

import { native, toBinary, wellFormed } from './native.ts';

type Listener = () => void;

/** As much of `AbortSignal` as is used. */
class Signal {
  readonly #listeners = new Set<Listener>();
  aborted = false;
  reason: unknown;

  addEventListener(_type: 'abort', listener: Listener): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: 'abort', listener: Listener): void {
    this.#listeners.delete(listener);
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  /** Of `AbortController` alone. */
  end(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    for (const listener of [...this.#listeners]) listener();
    this.#listeners.clear();
  }
}

class Controller {
  readonly signal: Signal = new Signal();

  abort(reason: unknown = Object.assign(new Error('The call was taken back'), { name: 'AbortError' })): void {
    this.signal.end(reason);
  }
}

class Utf8Encoder {
  encode(text = ''): Uint8Array {
    return native.utf8Encode(wellFormed(text));
  }
}

/** The one that the engine makes: strict, and a byte order mark is a character like any other. */
class Utf8Decoder {
  decode(bytes: Uint8Array): string {
    const text = native.utf8Decode(toBinary(bytes));
    if (text === undefined) throw new TypeError('The bytes are no UTF-8');
    return text;
  }
}

interface UrlParts {
  readonly href: string;
  readonly origin: string;
  readonly protocol: string;
  readonly username: string;
  readonly password: string;
  readonly hostname: string;
  readonly pathname: string;
  readonly search: string;
  readonly hash: string;
}

/** As much of `URL` as is used, parsed by the program. */
class ParsedUrl {
  #parts: UrlParts;

  constructor(text: string) {
    const parts = native.parseUrl(wellFormed(text));
    if (parts === undefined) throw new TypeError('Invalid URL');
    this.#parts = JSON.parse(parts) as UrlParts;
  }

  get href(): string {
    return this.#parts.href;
  }
  get origin(): string {
    return this.#parts.origin;
  }
  get protocol(): string {
    return this.#parts.protocol;
  }
  get username(): string {
    return this.#parts.username;
  }
  get password(): string {
    return this.#parts.password;
  }
  get hostname(): string {
    return this.#parts.hostname;
  }
  get pathname(): string {
    return this.#parts.pathname;
  }
  get hash(): string {
    return this.#parts.hash;
  }
  get search(): string {
    return this.#parts.search;
  }
  /** Of an empty query: takes its question mark away. */
  set search(search: '') {
    const { href, hash } = this.#parts;
    const [address] = href.split('?');
    this.#parts = { ...this.#parts, search, href: `${address}${hash}` };
  }
}

/** A copy of what JSON can say. */
function structuredClone<T>(value: T): T {
  if (Array.isArray(value)) return value.map(structuredClone) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, structuredClone(member)]),
  ) as T;
}

const GLOBALS = {
  AbortController: Controller,
  TextEncoder: Utf8Encoder,
  TextDecoder: Utf8Decoder,
  URL: ParsedUrl,
  structuredClone,
};

for (const [name, value] of Object.entries(GLOBALS))
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
