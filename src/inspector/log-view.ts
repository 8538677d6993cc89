/** The events of the engine, newest first. No live region: it would never stop talking. */

import type { Model } from './model.ts';
import { chip, foreign, list, quiet, time, type View } from './view.ts';

export function logView({ log }: Model): View {
  return list(log.map(({ key, at, type, text }) => [key, quiet(time(at)), chip(type), foreign(text)]));
}
