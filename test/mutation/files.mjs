/** The pure files of the wire that are mutated. Each is judged by its unit test and those of the others. */

export const FILES = [
  'address',
  'answer',
  'causality',
  'event',
  'header',
  'message',
  'order',
  'payload',
  'renewal',
  'voids',
];
