/**
 * What devices wrote without seeing each other, and what became of it. A path names fields: clashes, too, are shown only when asked for.
 */

import { textOf, type Acts, type Meeting, type Model } from './model.ts';
import { written } from './values-view.ts';
import { button, chip, foreign, list, payload, quiet, time, type View } from './view.ts';

export function conflictsView(model: Model, acts: Acts): View {
  return list(model.meetings.map((meeting) => [meeting.key, ...meetingView(meeting, model, acts)]));
}

function meetingView(meeting: Meeting, model: Model, acts: Acts): readonly View[] {
  const { key, category, sides, clashes } = meeting;
  const isShown = model.shown.has(key);
  return [
    ['b', {}, foreign(category)],
    chip(meeting.outcome),
    ...(clashes.length > 0 ? [chip(`clashes: ${clashes.length}`)] : []),
    quiet(time(meeting.at)),
    button(isShown ? 'Hide' : 'Show', category, () => acts.show('', key)),
    list(
      sides.map(([role, value], i) => [
        `${i}`,
        chip(role),
        written(value, model),
        ...(role === 'result' ? [] : [button('Restore', role, () => acts.restore(category, value.eventId))]),
        ...payload(isShown ? textOf(value) : undefined),
      ]),
    ),
    ...payload(isShown && clashes.length > 0 ? textOf({ payload: clashes }) : undefined),
  ];
}
