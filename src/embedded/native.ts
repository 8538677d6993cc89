/** What the program gives an embedded engine: functions of the global object `native`, which are there before the first line runs. */

/**
 * Texts that go to the program must be well-formed: it knows no lone surrogates. Bytes come from it as they are; to it they go as
 * text of as many characters (`toBinary`), because the program cannot look into the memory of the engine.
 */
export interface Native {
  /** Unix time in ms. */
  now(): number;
  /** `Running.timer` comes once with this id, after `delayMs`. */
  setTimer(id: number, delayMs: number): void;
  clearTimer(id: number): void;

  /** Opens a WebSocket: `Running.opened`, `message`, `pong` and `closed` tell of it. `closed` comes once, as the last. */
  openSocket(id: number, url: string): void;
  send(socket: number, text: string): void;
  ping(socket: number): void;
  bufferedAmount(socket: number): number;
  closeSocket(socket: number): void;

  /** `Running.reply` brings what they answer, in any order: keys and values as texts of `escapeText`, all of it JSON. */
  storeGet(id: number, key: string): void;
  storeRead(id: number, keys: string): void;
  storeList(id: number, prefix: string): void;
  storeUpdate(id: number, changes: string): void;
  storeClose(id: number): void;
  signEvent(id: number, template: string): void;
  encrypt(id: number, peer: string, plaintext: string): void;
  decrypt(id: number, peer: string, ciphertext: string): void;

  /** What came of a call; JSON. One of them is `null`. */
  answer(call: number, error: string | null, value: string | null): void;
  /** An event of the engine; JSON. */
  event(type: string, event: string): void;
  /** A value for a subscription; JSON. */
  value(subscription: number, category: string, result: string): void;

  randomBytes(length: number): Uint8Array;
  sha256(data: string): Uint8Array;
  /** Of a text's UTF-8, in lower-case hex. */
  sha256Hex(text: string): string;
  hmacSha256(key: string, data: string): Uint8Array;
  chacha20(key: string, nonce: string, data: string): Uint8Array;
  /** `undefined`: it is not what base64 is, in its one form. */
  base64Decode(text: string): Uint8Array | undefined;
  utf8Encode(text: string): Uint8Array;
  /** `undefined`: it is no UTF-8. */
  utf8Decode(binary: string): string | undefined;
  /** BIP-340, all in lower-case hex. Whatever is malformed is not valid. */
  verify(signature: string, message: string, publicKey: string): boolean;
  deflate(binary: string): Uint8Array;
  /** `undefined`: it is no deflate stream, or more than `maxBytes` come out. */
  inflate(binary: string, maxBytes: number): Uint8Array | undefined;
  /** The parts of a URL as WHATWG has them, JSON; `undefined`: it is none. */
  parseUrl(text: string): string | undefined;
}

export const native: Native = (globalThis as unknown as { readonly native: Native }).native;

/** ECMAScript 2024, not yet in the library that this package is compiled for. */
interface Text {
  toWellFormed(): string;
}

/** The text with U+FFFD in place of each lone surrogate, as every encoder to UTF-8 has it. */
export function wellFormed(text: string): string {
  return (text as unknown as Text).toWellFormed();
}

/** Arguments that a call takes at once. */
const CHUNK = 8_192;

/** Bytes as a text of as many characters, each U+0000 to U+00FF. */
export function toBinary(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += CHUNK) text += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
  return text;
}
