/** The bindings are a part of the engine's package: the plugin's version and theirs are the same. */

export * from 'nostr-sync/tauri';
