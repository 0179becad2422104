import { readFileSync } from 'node:fs';
import { isBootId } from '../measurement.ts';

/** Linux makes a new one whenever it boots, the same for every process and container on that kernel (random(4)). */
const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id';

/** Which boot of the machine this is; undefined where the kernel does not tell. */
export function readBootId(file = BOOT_ID_FILE): string | undefined {
  try {
    const text = readFileSync(file, 'latin1').trim();
    return isBootId(text) ? text : undefined;
  } catch {
    return undefined;
  }
}
