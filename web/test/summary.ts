/**
 * The end of a run as the gate reads it: what failed and why, then the closing line that it
 * counts: `N passed, N failed, N skipped`. The gate keeps only the last lines of a suite.
 */

import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** Lines of each error that are said again at the end. */
const LINES_PER_ERROR = 8;

export default class Summary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const counts = { passed: 0, failed: errors.length, skipped: 0 };
    const lines = errors.flatMap((error) => told('outside of a test', [error]));
    for (const module of modules) {
      let own = 0;
      for (const test of module.children.allTests()) {
        own += 1;
        const { state, errors } = test.result();
        counts[state === 'pending' ? 'skipped' : state] += 1;
        if (errors !== undefined && state === 'failed') {
          lines.push(...told(`${module.relativeModuleId}: ${test.fullName}`, errors));
        }
      }
      // A file that does not even load has no tests, and that is a failure.
      if (!module.ok() && own === 0) {
        counts.failed += 1;
        lines.push(...told(module.relativeModuleId, module.errors()));
      }
    }
    const { passed, failed, skipped } = counts;
    lines.push(`${passed} passed, ${failed} failed, ${skipped} skipped`);
    // After everything that the other reporter still prints.
    process.once('exit', () => process.stdout.write(`${lines.join('\n')}\n`));
  }
}

/** A failure in few lines: whose, what was said, and the nearest place in the sources. */
function told(whose: string, errors: readonly SerializedError[]): string[] {
  return [`failed: ${whose}`, ...errors.flatMap(inLines)];
}

function inLines(error: SerializedError): string[] {
  const said = error.message.split('\n').filter((line) => line.trim() !== '');
  const place = error.stacks?.[0];
  return [
    ...said.slice(0, LINES_PER_ERROR),
    ...(place === undefined ? [] : [`at ${place.file}:${place.line}`]),
  ].map((line) => `    ${line}`);
}
