/** Raw deflate (RFC 1951) as a port, and its implementation on the platform's streams. */

/** Makes bytes fewer, and again what they were: raw deflate. */
export interface Compression {
  /** Makes them fewer. */
  deflate(bytes: Uint8Array): Promise<Uint8Array>;
  /** Rejects on bytes that are no deflate stream, and as soon as more than `maxBytes` come out. */
  inflate(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array>;
}

/**
 * Bytes that go in at a time. Deflate makes at most 1,032 bytes of one, and an engine may put all that come of one write
 * in memory: so a bomb costs four megabytes at most before it is noticed.
 */
const SLICE_BYTES = 4_096;

async function pipe(
  bytes: Uint8Array,
  stream: { readonly readable: ReadableStream<Uint8Array>; readonly writable: WritableStream<BufferSource> },
  sliceBytes: number,
  maxBytes: number,
): Promise<Uint8Array> {
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  const write = async (): Promise<void> => {
    for (let i = 0; i < bytes.length; i += sliceBytes) {
      await writer.ready;
      await writer.write(bytes.slice(i, i + sliceBytes));
    }
    await writer.close();
  };
  const writing = write();
  // What goes wrong in writing shows in reading as well.
  writing.catch(() => undefined);
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    size += next.value.length;
    if (size > maxBytes) {
      await reader.cancel().catch(() => undefined);
      throw new Error(`more than ${maxBytes} bytes once inflated`);
    }
    parts.push(next.value);
  }
  await writing;
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** On `CompressionStream`, which browsers, webviews and Node have. */
export const streamCompression: Compression = {
  deflate: (bytes) => pipe(bytes, new CompressionStream('deflate-raw'), 65_536, Infinity),
  inflate: (bytes, maxBytes) => pipe(bytes, new DecompressionStream('deflate-raw'), SLICE_BYTES, maxBytes),
};
