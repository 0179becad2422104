import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { addCallCases } from './call-cases.ts';
import { type Case, CaseList } from './case-list.ts';
import { addChainCases } from './chain-cases.ts';
import { addConstraintCases } from './constraint-cases.ts';
import { addProfileCases } from './profile-cases.ts';

// Presentations, valid and invalid, with the exact code expected of stages 2 to 4 (spec/artifact.md).
// Keys are seeded and nothing is random: `node test/vectors/generate.ts` writes the same bytes every time.

export const ARTIFACT_VECTORS = fileURLToPath(new URL('artifact-presentations.json', import.meta.url));

export function artifactCases(): readonly Case[] {
  const list = new CaseList();
  addChainCases(list);
  addConstraintCases(list);
  addCallCases(list);
  addProfileCases(list);
  return list.cases;
}

/** One case a line. */
export function serializeCases(cases: readonly Case[]): string {
  return `[\n${cases.map((entry) => JSON.stringify(entry)).join(',\n')}\n]\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(ARTIFACT_VECTORS, serializeCases(artifactCases()));
}
