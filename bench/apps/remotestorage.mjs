/** The same on remoteStorage: a file in its cache, which it syncs with the server that a person connects. Not encrypted. */

import RemoteStorage from 'remotestoragejs';
import { show } from './page.mjs';

const remoteStorage = new RemoteStorage();
remoteStorage.access.claim('bench', 'rw');
remoteStorage.caching.enable('/bench/');
const files = remoteStorage.scope('/bench/');
files.declareType('settings', { type: 'object', properties: { theme: { type: 'string' } } });
const draw = show(
  (theme) => void files.storeObject('settings', 'settings', { theme }).then(() => draw(theme)),
);
files.on('change', ({ newValue }) => draw(newValue?.theme ?? 'light'));
const stored = await files.getObject('settings');
draw(stored?.theme ?? 'light');
