import type { TypeDefinition } from './parsing.ts';

/** Writ's registered extension types (`spec/artifact-constraints.md`). */
export const EXTENSION_TYPES: ReadonlyMap<string, TypeDefinition> = new Map<string, TypeDefinition>([]);
