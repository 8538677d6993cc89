/** How a secret would look if it slipped out: in the encodings in which texts, bytes and inspected objects are written. */

import { bech32 } from '@scure/base';

/** The text as a pattern. */
const literally = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);

/** Less of a base64 stands in any other one sooner or later. */
const LEAST_CHARS = 8;

/** The middle of its base64, which depends on the position in a group of three; of what is too short for that none. */
function base64(bytes: Buffer): string[] {
  const all = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .slice(4, -4),
  );
  return all.filter(({ length }) => length >= LEAST_CHARS);
}

/** Patterns of these bytes. */
function patternsOf(bytes: Buffer): string[] {
  const hex = bytes.toString('hex');
  const texts = [
    hex,
    ...base64(bytes),
    ...base64(bytes).map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    BigInt(`0x${hex}`).toString(),
  ];
  return [
    ...texts.map(literally),
    // `<Buffer 5c 0c>`, `5c:0c`.
    hex.match(/../g)!.join('[ :]'),
    // Arrays as JSON and `inspect` write them, in columns or not; and a Uint8Array in JSON, with its indices.
    [...bytes].join(String.raw`,\s*`),
    [...bytes].map((byte) => String.raw`"\d+":${byte}`).join(','),
  ];
}

/** Matches any trace of these texts, and of these keys (64 hex digits) or a half of one. */
export function tracesOf(secrets: {
  readonly keys?: readonly string[];
  readonly texts?: readonly string[];
}): RegExp {
  const { keys = [], texts = [] } = secrets;
  const patterns = [
    ...keys.flatMap((key) => {
      const bytes = Buffer.from(key, 'hex');
      const nsec = bech32.encode('nsec', bech32.toWords(bytes), false);
      return [nsec, ...[bytes, bytes.subarray(0, 16), bytes.subarray(16)].flatMap(patternsOf)];
    }),
    ...texts.flatMap((text) => [
      literally(text),
      literally(encodeURIComponent(text)),
      ...patternsOf(Buffer.from(text)),
      Buffer.from(text, 'utf16le').toString('hex'),
    ]),
  ];
  return new RegExp(patterns.join('|'), 'i');
}
