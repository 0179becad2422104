// Stands in for terraform: `node stand-in.ts apply STATE` reads a plan from standard input and applies it to a state file.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parsePlan } from './plan.ts';

const [command, stateFile = ''] = process.argv.slice(2);
if (command !== 'apply') throw new Error(`unknown command ${command}`);
const plan = parsePlan(readFileSync(0));
const state: Record<string, string> = existsSync(stateFile)
  ? JSON.parse(readFileSync(stateFile, 'utf8'))
  : {};
for (const [resource, value] of Object.entries(plan.create)) state[resource] = value;
for (const resource of plan.destroy) delete state[resource];
writeFileSync(stateFile, JSON.stringify(state));
