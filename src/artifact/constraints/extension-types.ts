import { ARGV } from './argv-grammar.ts';
import type { TypeDefinition } from './parsing.ts';
import { PATH_CONTAINMENT } from './path-containment.ts';
import { STRING_PATTERN } from './string-pattern.ts';
import { URL_CONTAINMENT } from './url-containment.ts';

/** Writ's registered extension types (`spec/artifact-constraints.md`). */
export const EXTENSION_TYPES: ReadonlyMap<string, TypeDefinition> = new Map<string, TypeDefinition>([
  ['path_containment', PATH_CONTAINMENT],
  ['url_containment', URL_CONTAINMENT],
  ['string_pattern', STRING_PATTERN],
  ['argv', ARGV],
]);
