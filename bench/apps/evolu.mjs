/** The same on Evolu: a table with one row, in SQLite. */

import { createEvolu, createIdFromString, id, NonEmptyString100, SimpleName } from '@evolu/common';
import { evoluWebDeps } from '@evolu/web';
import { show } from './page.mjs';

const schema = { settings: { id: id('Settings'), theme: NonEmptyString100 } };
const evolu = createEvolu(evoluWebDeps)(schema, {
  name: SimpleName.orThrow('bench'),
  transports: [{ type: 'WebSocket', url: 'ws://127.0.0.1:9' }],
});
const query = evolu.createQuery((db) => db.selectFrom('settings').select(['theme']));
const row = createIdFromString('settings');
const draw = show((theme) => evolu.upsert('settings', { id: row, theme }));
const shown = () => draw(evolu.getQueryRows(query)[0]?.theme ?? 'light');
evolu.subscribeQuery(query)(shown);
await evolu.loadQuery(query);
shown();
