import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TILE_WIDTH } from '../../tlog/index.ts';
import { unavailableBecause } from '../driver-fault.ts';

const FULL = /^(x?)(\d{3})$/;
const PARTIAL_FOLDER = /^(\d{3})\.p$/;
const WIDTH = /^[1-9]\d{0,2}$/;

/**
 * How many entries the published level-0 tiles reach over, whether or not a checkpoint covers them.
 * @throws LogUnavailable when their folders cannot be read.
 */
export function furthestTile(directory: string): number {
  return furthestBelow(join(directory, 'tile', '0'), 0);
}

/** @param thousands what the folders above stand for: `x001/x234` is 1234. */
function furthestBelow(folder: string, thousands: number): number {
  let furthest = 0;
  const names = namesIn(folder);
  for (const name of names) {
    const [, nested, digits = ''] = FULL.exec(name) ?? [];
    const index = thousands * 1_000 + Number(digits);
    if (nested === 'x') furthest = Math.max(furthest, furthestBelow(join(folder, name), index));
    else if (digits !== '') furthest = Math.max(furthest, (index + 1) * TILE_WIDTH);
    const [, partial] = PARTIAL_FOLDER.exec(name) ?? [];
    if (partial === undefined) continue;
    const widths = namesIn(join(folder, name))
      .filter((width) => WIDTH.test(width))
      .map(Number);
    const widest = Math.max(0, ...widths.filter((width) => width < TILE_WIDTH));
    if (widest > 0) {
      furthest = Math.max(furthest, (thousands * 1_000 + Number(partial)) * TILE_WIDTH + widest);
    }
  }
  return furthest;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    // What is not there, or no folder, publishes nothing. What cannot be read may: that is no answer.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return [];
    throw unavailableBecause(`${folder} cannot be read`, error);
  }
}
