/** What runs in a page: components as the compiler of this version of Svelte makes them for browsers. */

export { flushSync, hydrate, mount, unmount } from 'svelte';
export { live } from '../../../src/adapters/svelte.ts';
export { default as Theme } from './Theme.svelte';
