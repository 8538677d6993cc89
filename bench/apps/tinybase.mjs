/** The same on TinyBase: a mergeable store in IndexedDB, and its WebSocket synchronizer. Not encrypted. */

import { createMergeableStore } from 'tinybase/mergeable-store';
import { createIndexedDbPersister } from 'tinybase/persisters/persister-indexed-db';
import { createWsSynchronizer } from 'tinybase/synchronizers/synchronizer-ws-client';
import { show } from './page.mjs';

const store = createMergeableStore();
await createIndexedDbPersister(store, 'bench').startAutoPersisting();
const draw = show((theme) => store.setValue('theme', theme));
const shown = () => draw(store.getValue('theme') ?? 'light');
shown();
store.addValueListener('theme', shown);
const synchronizer = await createWsSynchronizer(store, new WebSocket('ws://127.0.0.1:9'));
await synchronizer.startSync();
