/**
 * SHA-256 by the program, in place of that of `@noble/hashes` wherever the protocol hashes bytes: interpreted, each hash takes as long as a
 * signature. `scripts/native-hash.mjs` puts it there.
 */

import { native, toBinary } from './native.ts';

export const sha256 = (bytes: Uint8Array): Uint8Array => native.sha256(toBinary(bytes));
