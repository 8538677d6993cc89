import type { Mutant } from './kill-list.mjs';

export function planted(mutant: Pick<Mutant, 'name' | 'patches'>): Map<string, string>;
