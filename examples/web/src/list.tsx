/** A list that several devices edit at once: it is merged item by item. */

import { useSync } from 'nostr-sync/react';
import type { ReactNode } from 'react';
import { groceries, sync } from './sync.ts';

const state = sync.state(groceries);

export function List(): ReactNode {
  const [{ items }, update] = useSync(state);
  const add = (text: string): void =>
    void update((now) => ({ items: [...now.items, { id: crypto.randomUUID(), text, isDone: false }] }));
  const tick = (id: string, isDone: boolean): void =>
    void update((now) => ({ items: now.items.map((one) => (one.id === id ? { ...one, isDone } : one)) }));
  const remove = (id: string): void =>
    void update((now) => ({ items: now.items.filter((one) => one.id !== id) }));
  return (
    <section aria-label="List">
      <form className="row" action={(form) => add(String(form.get('text')))}>
        <input name="text" aria-label="What to buy" placeholder="Milk" required autoComplete="off" />
        <button className="primary">Add</button>
      </form>
      <ul>
        {items.map(({ id, text, isDone }) => (
          <li key={id} className="row">
            <label className="row">
              <input type="checkbox" checked={isDone} onChange={() => tick(id, !isDone)} />
              <span>{text}</span>
            </label>
            <button aria-label={`Remove ${text}`} onClick={() => remove(id)}>
              ×
            </button>
          </li>
        ))}
      </ul>
      <button onClick={() => void state.undo()}>Undo</button>
    </section>
  );
}
