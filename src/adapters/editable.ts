/** Of a handle, what a binding shows and edits: of a schema that takes what it gives. */

import type { Readable } from '../readable.ts';

export interface Editable<T> extends Readable<T> {
  readonly initial: T;
  update(edit: Partial<T>): Promise<unknown>;
}
