import { isJsonObject, type JsonValue } from '../codec/index.ts';
import type { Preview } from '../policy/index.ts';

export type { Preview };

/** Whether a value is shaped as what a receipt shows of arguments or of a result. */
export function isPreview(value: JsonValue): boolean {
  if (!isJsonObject(value)) return false;
  const { detectors, shown, withheld, truncated } = value;
  return (
    Number.isSafeInteger(detectors) &&
    isJsonObject(shown) &&
    Object.values(shown).every((item) => item === null || typeof item !== 'object') &&
    (withheld === undefined ||
      (isJsonObject(withheld) && Object.values(withheld).every((item) => typeof item === 'string'))) &&
    (truncated === undefined || truncated === true)
  );
}
