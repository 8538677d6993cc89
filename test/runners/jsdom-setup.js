/** What browsers have and jsdom lacks; as in `docs/TESTING.md`. */

import { webcrypto } from 'node:crypto';
import { CompressionStream, DecompressionStream, ReadableStream, WritableStream } from 'node:stream/web';
import { TextDecoder, TextEncoder } from 'node:util';

const streams = { CompressionStream, DecompressionStream, ReadableStream, WritableStream };
for (const [name, value] of Object.entries({ ...streams, TextDecoder, TextEncoder }))
  globalThis[name] ??= value;
globalThis.crypto ??= webcrypto;
