/** A key store in memory, which a test can look into. */

import { isSameKey, keyExists, type KeyStore } from '../../src/keys/key-store.ts';

export interface MemoryKeyStore extends KeyStore {
  kept: Uint8Array | undefined;
  saves: number;
  mayBeEvicted?: () => Promise<boolean>;
}

export function memoryKeyStore(): MemoryKeyStore {
  return {
    kept: undefined,
    saves: 0,
    async load(): Promise<Uint8Array | undefined> {
      await Promise.resolve();
      return this.kept && Uint8Array.from(this.kept);
    },
    async save(key, former) {
      await Promise.resolve();
      this.saves++;
      if (isSameKey(this.kept, key)) return;
      if (!isSameKey(this.kept, former)) throw keyExists('memory');
      this.kept = Uint8Array.from(key);
    },
    async clear() {
      this.kept = undefined;
    },
  };
}
