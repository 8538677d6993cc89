/** What the ports of Node say, for those of Rust to say the same. */

import { deflateRawSync } from 'node:zlib';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { isNostrSyncError } from '../../src/errors.ts';
import { createEventVerifier } from '../../src/protocol/event-verifier.ts';
import type { SignedEvent } from '../../src/protocol/event.ts';
import { canonicalRelayUrl } from '../../src/relay/url.ts';
import { createSecretKeySigner } from '../../src/signer/secret-key.ts';
import { createRandom } from '../support/random.ts';

export interface Expected {
  readonly texts: readonly { readonly text: string; readonly sha256: string; readonly utf8: string }[];
  /** In hex. */
  readonly ciphers: readonly {
    readonly key: string;
    readonly nonce: string;
    readonly data: string;
    readonly hmac: string;
    readonly chacha20: string;
  }[];
  readonly streams: readonly { readonly data: string; readonly deflated: string }[];
  readonly events: readonly { readonly event: unknown; readonly isValid: boolean }[];
  readonly bip340: readonly {
    readonly publicKey: string;
    readonly message: string;
    readonly signature: string;
    readonly isValid: boolean;
  }[];
  readonly urls: readonly {
    readonly spelling: string;
    /** Or the code of the error. */
    readonly canonical: string;
    readonly insecure: string;
  }[];
}

const TEXTS = [
  '',
  'a',
  'ü🦩',
  '\ufeffwith a mark',
  'half \ud83d of one',
  '\u0000\u007f\u0080\uffff',
  'long '.repeat(20_000),
];

const URLS = [
  ...[
    'wss://relay.example.com',
    'wss://relay.example.com/',
    'WSS://Relay.EXAMPLE.com:443',
    '  wss://relay.example.com\n',
  ],
  ...['wss://relay.example.com:7777/', 'wss://relay.example.com/path/', 'wss://relay.example.com/a/../b?c=d'],
  ...[
    'wss://relay.example.com/?',
    'wss://relay.example.com/path?',
    'wss://bücher.example',
    'wss://relay.example.com/ä b?ü',
  ],
  ...[
    'ws://127.0.0.1:7777',
    'ws://127.1:7777',
    'ws://2130706433',
    'ws://localhost:80/',
    'ws://relay.localhost',
    'ws://[::1]:7777',
  ],
  ...[
    'ws://[0:0:0:0:0:0:0:1]',
    'ws://[::ffff:127.0.0.1]',
    'wss://%72elay.example.com',
    'wss://relay.example.com:0',
    'wss://relay.example.com:65536',
  ],
  ...[
    '',
    'relay.example.com',
    'wss://',
    'wss:relay.example.com',
    'wss:///relay.example.com',
    'https://relay.example.com',
    'file:///etc/passwd',
  ],
  ...[
    'javascript:alert(1)',
    'ws://relay.example.com',
    'ws://192.168.0.1',
    'ws://localhost.example.com',
    'ws://127.0.0.1.example.com',
  ],
  ...[
    'ws://notlocalhost',
    'ws://relay.example.com/?localhost',
    'ws://localhost@relay.example.com',
    'wss://user@relay.example.com',
  ],
  ...[
    'wss://user:secret@relay.example.com',
    'wss://relay.example.com/#fragment',
    'wss://relay.example.com/#',
    'wss://a b',
    'wss://relay\t.example.com',
  ],
  ...[
    'wss://relay.example.com\\path',
    'wss://relay.example.com/\ud800',
    'wss://xn--a',
    'wss://RELAY.example.com./',
    'wss://1.2.3.4.5',
    'wss://0x7f.1',
  ],
];

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function canonicalOrCode(spelling: string, isInsecure: boolean): string {
  try {
    return canonicalRelayUrl(spelling, isInsecure);
  } catch (error) {
    return isNostrSyncError(error) ? error.code : 'something else';
  }
}

/** `vectors`: the file of BIP-340, as it is published. */
export async function expectedOfNode(vectors: string): Promise<Expected> {
  const random = createRandom(20);
  const lengths = [0, 1, 31, 32, 33, 64, 1_000, 70_000];
  const signer = createSecretKeySigner(nodePrimitives, (length) => random.bytes(length), '11'.repeat(32));
  const verifier = createEventVerifier(nodePrimitives);
  const good = await signer.signEvent({
    kind: 30_078,
    created_at: 1_800_000_000,
    tags: [['d', 'a/b/v1']],
    content: 'ü "quoted"\n\ud83d',
  });
  const changed = ({ sig, pubkey }: Partial<SignedEvent>): SignedEvent => ({
    ...good,
    ...(sig && { sig }),
    ...(pubkey && { pubkey }),
  });
  const events = [
    good,
    changed({ sig: good.sig.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) }),
    changed({ sig: good.sig.slice(2) }),
    changed({ sig: good.sig.toUpperCase() }),
    changed({ sig: 'f'.repeat(128) }),
  ];
  return {
    texts: TEXTS.map((text) => ({
      text,
      sha256: nodePrimitives.sha256Hex(text),
      utf8: hex(Buffer.from(text)),
    })),
    ciphers: lengths.map((length) => {
      const [key, nonce, data] = [random.bytes(32), random.bytes(12), random.bytes(length)];
      const { hmacSha256, chacha20 } = nodePrimitives;
      return {
        ...{ key: hex(key), nonce: hex(nonce), data: hex(data) },
        ...{ hmac: hex(hmacSha256(key, data)), chacha20: hex(chacha20(key, nonce, data)) },
      };
    }),
    streams: lengths.flatMap((length) =>
      [random.bytes(length), Buffer.alloc(length, 'text ')].map((data) => ({
        data: hex(data),
        deflated: hex(deflateRawSync(data)),
      })),
    ),
    events: events.map((event) => ({
      event: { ...event, id: verifier.hash(event as never) },
      isValid: verifier.verifySignature(event as never),
    })),
    bip340: vectors
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.toLowerCase().split(','))
      // An event's message is its id, of 32 bytes.
      .filter(([, , , , message]) => message?.length === 64)
      .map(([, , publicKey, , message, signature, result]) => ({
        publicKey: publicKey!,
        message: message!,
        signature: signature!,
        isValid: result === 'true',
      })),
    urls: URLS.map((spelling) => ({
      ...{ spelling, canonical: canonicalOrCode(spelling, false) },
      insecure: canonicalOrCode(spelling, true),
    })),
  };
}
