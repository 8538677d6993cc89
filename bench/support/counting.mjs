/** Ports that count what goes through them. */

/** A verifier and a signer around real ones. `counts` is reset by whoever reads it. */
export function countCrypto(verifier, signer) {
  const counts = { hashes: 0, signatures: 0, decryptions: 0 };
  return {
    counts,
    take: () => {
      const taken = { ...counts };
      for (const key of Object.keys(counts)) counts[key] = 0;
      return taken;
    },
    verifier: {
      hash: (event) => {
        counts.hashes++;
        return verifier.hash(event);
      },
      verifySignature: (event) => {
        counts.signatures++;
        return verifier.verifySignature(event);
      },
    },
    signer: {
      ...signer,
      nip44: {
        ...signer.nip44,
        decrypt: (peer, text) => {
          counts.decryptions++;
          return signer.nip44.decrypt(peer, text);
        },
      },
    },
  };
}

/** A store that counts transactions that change something, and that survives `close` for the next engine. */
export function countStore(store) {
  const counts = { writes: 0, bytes: 0 };
  return {
    counts,
    store: {
      ...store,
      update: (keys, decide) =>
        store.update(keys, (current) => {
          const changes = decide(current);
          if (changes.size > 0) counts.writes++;
          for (const [key, value] of changes) counts.bytes += key.length + (value?.length ?? 0);
          return changes;
        }),
      close: async () => undefined,
    },
  };
}
