/**
 * The pure files that are mutated, under `src`, and the unit tests that judge them, under `test`. Each group is a run of its own: the
 * fewer tests reach a file, the quicker its mutations are judged.
 */

const under = (folder, names) => names.map((name) => `${folder}/${name}`);

const WIRE = under('protocol', [
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
]);

const heads = (...names) => under('sync/heads', names);
const tests = (...names) => under('sync', names);

export const GROUPS = [
  { files: WIRE, tests: WIRE },
  { files: ['recent'], tests: ['recent'] },
  { files: ['protocol/chunks'], tests: ['protocol/chunks'] },
  { files: ['protocol/negentropy'], tests: ['protocol/negentropy'] },
  // None of these tests reaches much of another's file.
  {
    files: [
      'sync/stamps',
      ...heads('conflict', 'deliveries', 'former', 'news', 'own-stamps', 'owed', 'record-codec'),
    ],
    tests: tests(
      'deliveries',
      'former',
      'lost-writes',
      'news',
      'own-stamps',
      'owed',
      'record-codec',
      'stamp-of',
    ),
  },
  { files: heads('record', 'version'), tests: tests('record', 'version') },
  { files: heads('own-write'), tests: tests('own-write') },
  { files: heads('arrival'), tests: tests('arrival') },
  { files: heads('reconcile'), tests: tests('reconcile') },
  { files: heads('plan'), tests: tests('plan') },
  { files: heads('carried'), tests: tests('carried') },
  {
    files: under('merge', [
      'fields',
      'json',
      'lists',
      'merge3',
      'order',
      'own-function',
      'registers',
      'rule',
      'text',
      'whole',
    ]),
    tests: under('merge', ['merge3', 'rules', 'text']),
  },
  { files: under('state', ['document', 'layers', 'undo']), tests: under('state', ['document']) },
  { files: ['pair/holder'], tests: ['pair/holder'] },
  { files: ['pair/joiner'], tests: ['pair/joiner'] },
];
