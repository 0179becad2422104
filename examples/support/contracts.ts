import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { FunctionTool } from '../../src/index.ts';

const manifest = z.object({
  tools: z.array(
    z.object({
      definition: z.object({
        name: z.string(),
        description: z.string(),
        inputSchema: z.record(z.string(), z.unknown()),
        annotations: z.record(z.string(), z.boolean()),
      }),
    }),
  ),
});

export type Contract = z.infer<typeof manifest>['tools'][number]['definition'] & FunctionTool;

/**
 * The tools of an enforcement point, as they were reviewed: `policy/tools/<point>.json` beside the policies that speak of them.
 * The program takes its definitions from there, so that the two can't differ.
 */
export function contracts(example: string, point: string): readonly Contract[] {
  const file = join(example, 'policy', 'tools', `${point}.json`);
  return manifest.parse(JSON.parse(readFileSync(file, 'utf8'))).tools.map(({ definition }) => definition);
}

export function contract(example: string, point: string, name: string): Contract {
  const found = contracts(example, point).find((tool) => tool.name === name);
  if (found === undefined) throw new TypeError(`${point} has no tool ${name}`);
  return found;
}
