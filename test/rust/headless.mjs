/** Where cargo puts the example `headless`, which the lane's tests of the crate have built. */

import { join } from 'node:path';
import { TARGET } from '../../scripts/cargo.mjs';

export const HEADLESS = join(TARGET, 'debug/examples/headless');
