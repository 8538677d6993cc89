/** What moves on a device's screen: every landmark of the page is looked at on every frame. WebKit reports no layout shifts. */

import type { Device } from './device.ts';

/** Left, top, width and height, in CSS pixels. */
type Place = readonly [number, number, number, number];

export interface Move {
  /** Of the landmark that was somewhere else one frame before. */
  readonly name: string;
  readonly from: Place;
  readonly to: Place;
}

/** Starts to look. What comes or goes, with its screen or alone, has not moved; but all around it may have. */
export function watchLayout(device: Device): Promise<void> {
  return device.at.run(`
    const landmarks = 'main :is(h1, h2, form, label, output, button, input, textarea, fieldset, ul, ol, #relays li > *, .card, .lead, .hint, .error, #status)';
    const layout = (window.layout = { frames: 0, moves: [] });
    const rowOf = (one) => one.closest('#relays li')?.querySelector('span').textContent;
    const nameOf = (one) =>
      one.id || [rowOf(one), one.closest('form')?.id, one.localName, one.getAttribute('aria-labelledby') ?? one.name ?? one.textContent]
        .filter(Boolean).join(' ');
    let places = new Map();
    (function look() {
      requestAnimationFrame(look);
      const now = new Map();
      for (const one of document.querySelectorAll(landmarks)) {
        if (!one.checkVisibility()) continue;
        const { x, y, width, height } = one.getBoundingClientRect();
        // Where it is on the page, whose head stays in sight while its user scrolls.
        const top = one.closest('header')?.getBoundingClientRect().y ?? -scrollY;
        const to = [x, y - top, width, height];
        // A row is made anew where its relay's state changes, and is the same to who looks at it.
        const key = rowOf(one) === undefined ? one : rowOf(one) + one.localName;
        now.set(key, to);
        const from = places.get(key);
        if (from?.some((value, i) => value !== to[i])) layout.moves.push({ name: nameOf(one), from, to });
      }
      places = now;
      layout.frames += 1;
    })();`);
}

/** What has moved since the last time, up to what is on the screen now. */
export function moves(device: Device): Promise<Move[]> {
  return device.at.run(`
    const until = layout.frames + 2;
    while (layout.frames < until) await new Promise(requestAnimationFrame);
    return layout.moves.splice(0);`);
}
