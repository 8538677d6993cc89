/** What runs on a server: the same, made for servers. */

export { render } from 'svelte/server';
export { live } from '../../../src/adapters/svelte.ts';
export { default as Theme } from './Theme.svelte';
