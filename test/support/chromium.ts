/** Where the browser lane finds Chromium. As global setup it stops the lane at once when there is none. */

import { execFileSync } from 'node:child_process';

/** The browser's path: `CHROMIUM_PATH`, or where Debian's package `chromium` puts it. */
export function chromiumPath(): string {
  return process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';
}

export default function requireChromium(): void {
  try {
    execFileSync(chromiumPath(), ['--version'], { stdio: 'pipe' });
  } catch (cause) {
    throw new Error(
      `Cannot run the browser lane: no Chromium at ${chromiumPath()}. Install Debian's package "chromium" or set CHROMIUM_PATH.`,
      { cause },
    );
  }
}
