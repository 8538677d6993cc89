/** The same on Jazz: an anonymous account whose root has the setting, in IndexedDB. */

import { co, z } from 'jazz-tools';
import { JazzBrowserContextManager } from 'jazz-tools/browser';
import { show } from './page.mjs';

const Settings = co.map({ theme: z.string() });
const AccountSchema = co.account({ profile: co.profile(), root: Settings }).withMigration((account) => {
  if (!account.$jazz.has('root')) account.$jazz.set('root', { theme: 'light' });
});
const manager = new JazzBrowserContextManager();
await manager.createContext({ sync: { peer: 'ws://127.0.0.1:9', when: 'always' }, AccountSchema });
const { me } = manager.getCurrentValue();
const { root } = await me.$jazz.ensureLoaded({ resolve: { root: true } });
const draw = show((theme) => root.$jazz.set('theme', theme));
root.$jazz.subscribe(({ theme }) => draw(theme));
draw(root.theme);
