import { existsSync, readFileSync } from 'node:fs';
import { canonicalize, parseJsonObject } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { type Collector, isCollector } from '../../environment/index.ts';

const ENVIRONMENT = 'writ/environment-profile@v1';

/** What of its surroundings every enforcement point here measures, beside itself and its program. */
export interface EnvironmentProfile {
  readonly measure: readonly Collector[];
}

export function environmentFileText({ measure }: EnvironmentProfile): string {
  return `${canonicalize({ type: ENVIRONMENT, measure: [...measure] })}\n`;
}

/** @returns nothing to be measured where there is no file: what was bound before it was known stays bound. */
export function readEnvironmentFile(path: string): EnvironmentProfile | Denial {
  if (!existsSync(path)) return { measure: [] };
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return deny('environment.unmeasured', `${path} cannot be read`);
  }
  const json = parseJsonObject(text, 'environment.unmeasured', { maxBytes: 4096 });
  if (isDenial(json)) return deny(json.code, `${path}: ${json.detail}`);
  const { type, measure, ...unknown } = json;
  const isWellFormed = type === ENVIRONMENT && Array.isArray(measure) && Object.keys(unknown).length === 0;
  const collectors: Collector[] = [];
  for (const name of isWellFormed ? (measure as readonly unknown[]) : [undefined]) {
    if (typeof name !== 'string' || !isCollector(name)) {
      return deny('environment.unmeasured', `${path} is no list of what to measure`);
    }
    collectors.push(name);
  }
  return { measure: collectors };
}

/** Where an orchestrator tells the image it started, pinned by its digest. */
export const IMAGE_VARIABLE = 'WRIT_CONTAINER_IMAGE';
