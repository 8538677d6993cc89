/** Ends a run with one plain line that scripts can read: `N passed, N failed` and, when there are any, `, N skipped`. */

import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** The closing line. A file that does not load and an error that no test caught count as one failure each. */
export function closingLine(modules: readonly TestModule[], unhandled: readonly SerializedError[]): string {
  const count = { passed: 0, failed: unhandled.length, skipped: 0 };
  for (const module of modules) {
    count.failed += module.errors().length;
    for (const test of module.children.allTests()) {
      // A test that never ran because of an earlier failure is pending: it did not pass.
      const { state } = test.result();
      count[state === 'pending' ? 'failed' : state] += 1;
    }
    for (const suite of module.children.allSuites()) count.failed += suite.errors().length;
  }
  const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
  return `${count.passed} passed, ${count.failed} failed${skipped}`;
}

export default class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const line = closingLine(modules, unhandled);
    // The default reporter is not done yet: this line belongs after everything else.
    process.once('exit', () => process.stdout.write(`${line}\n`));
  }
}
