/** The whole of it: tabs (WAI-ARIA), the panel of the one that is chosen, and what a screen reader is to say. */

import { conflictsView } from './conflicts-view.ts';
import { logView } from './log-view.ts';
import { TABS, type Acts, type Model } from './model.ts';
import { relaysView } from './relays-view.ts';
import { valuesView } from './values-view.ts';
import type { View } from './view.ts';

const VIEWS = { values: valuesView, relays: relaysView, conflicts: conflictsView, log: logView };

export function pageView(model: Model, acts: Acts): readonly View[] {
  const { tab: chosen, meetings, problem } = model;
  const onkeydown = (event: KeyboardEvent): void => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step === undefined) return;
    const next = TABS.at((TABS.indexOf(chosen) + step) % TABS.length)!;
    acts.choose(next);
    (event.currentTarget as Element).querySelector<HTMLElement>(`#${next}`)!.focus();
  };
  return [
    [
      'div',
      { role: 'tablist', onkeydown },
      ...TABS.map((tab): View => {
        const isChosen = tab === chosen;
        const count = tab === 'conflicts' && meetings.length > 0 ? ` (${meetings.length})` : '';
        return [
          'button',
          {
            role: 'tab',
            id: tab,
            onclick: () => acts.choose(tab),
            'aria-controls': `of-${tab}`,
            'aria-selected': `${isChosen}`,
            tabindex: isChosen ? '0' : '-1',
          },
          tab + count,
        ];
      }),
    ],
    ['p', { role: 'status' }, model.said],
    ...(problem === undefined ? [] : [['p', {}, problem] as const]),
    ...TABS.map((tab): View => {
      const hidden = tab === chosen ? undefined : '';
      const about = { role: 'tabpanel', id: `of-${tab}`, 'aria-labelledby': tab, tabindex: '0', hidden };
      return ['div', about, ...(hidden === undefined ? [VIEWS[tab](model, acts)] : [])];
    }),
  ];
}
