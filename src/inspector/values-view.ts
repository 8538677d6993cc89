/** What this device has of each category: how far it has come, who wrote it, and what was there before. */

import type { VersionInfo } from '../sync/history.ts';
import type { CategoryRow } from '../sync/inspecting.ts';
import type { Acts, Model } from './model.ts';
import {
  button,
  chip,
  facts,
  foreign,
  list,
  measure,
  payload,
  quiet,
  short,
  time,
  type View,
} from './view.ts';

export function valuesView(model: Model, acts: Acts): View {
  return list(model.rows.map((row) => [row.category, ...rowView(row, model, acts)]));
}

/** Who wrote a version, and when. */
export function written(of: Pick<VersionInfo, 'updatedAt' | 'deviceId'>, { status }: Model): View {
  return quiet(
    time(of.updatedAt),
    ' by ',
    of.deviceId === status?.deviceId ? 'this device' : short(of.deviceId),
  );
}

function rowView(row: CategoryRow, model: Model, acts: Acts): readonly View[] {
  const { category, rivals } = row;
  const history = model.histories.get(category);
  const onclick = (): void => acts.fold(category);
  const chips = [
    row.stage,
    row.isRemoval && 'removed',
    !row.isWhole && 'incomplete',
    row.reading !== 'read' && row.reading,
    rivals > 0 && 'rivals',
  ];
  return [
    [
      'button',
      { onclick, 'aria-expanded': `${history !== undefined}` },
      ['b', {}, foreign(category)],
      ...chips.filter((word) => word !== false).map(chip),
      written(row, model),
    ],
    ...(history === undefined ? [] : detailsOf(row, history, model, acts)),
  ];
}

function detailsOf(
  row: CategoryRow,
  history: readonly VersionInfo[],
  model: Model,
  acts: Acts,
): readonly View[] {
  const { category, pieces, expiration, schema } = row;
  return [
    facts({
      size: measure(row.bytes, 'B'),
      schema: `${schema?.version ?? 1}, writable by ${schema?.writableBy ?? 1}`,
      expires: expiration === undefined ? 'never' : time(expiration * 1_000),
      rivals: `${row.rivals}`,
      'former values': `${row.kept}`,
      event: short(row.eventId),
    }),
    list(
      Object.entries(row.relays).map(([url, delivery]) => [
        url,
        foreign(url),
        chip(delivery),
        pieces ? `${pieces.done[url] ?? 0} of ${pieces.total} pieces` : '',
      ]),
    ),
    list(history.map((version) => [version.eventId, ...versionView(category, version, model, acts)])),
  ];
}

function versionView(category: string, version: VersionInfo, model: Model, acts: Acts): readonly View[] {
  const { eventId, isCurrent } = version;
  const why = isCurrent ? 'current' : version.why;
  const text = model.shown.get(eventId);
  return [
    chip(why),
    written(version, model),
    quiet(measure(version.bytes, 'B')),
    button(text === undefined ? 'Show' : 'Hide', why, () => acts.show(category, eventId)),
    ...(isCurrent ? [] : [button('Restore', why, () => acts.restore(category, eventId))]),
    ...payload(text),
  ];
}
