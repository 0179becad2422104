import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import type { JsonValue } from '../codec/index.ts';
import { parseRedactionRules, RedactionRules } from './redaction/rules.ts';
import { outcome, prepared, request, TRANSFER } from './samples.test-support.ts';

it('the examples of spec/policy.md validate and decide as they say', () => {
  const page = readFileSync(new URL('../../spec/policy.md', import.meta.url), 'utf8');
  const [, examples = ''] = /## Examples\s+```\n([\s\S]*?)```/.exec(page) ?? [];
  const policy = prepared(examples);
  const facts = request().facts;
  const atHour = (hourUtc: number, amount: number) =>
    policy.evaluate(
      request({
        tool: TRANSFER.id,
        input: { account: 'a', amount },
        facts: { ...facts, time: { ...facts.time, hourUtc } },
      }),
    );
  expect(atHour(12, 9999.99)).toMatchObject({ approvals: [{ role: 'finance', threshold: 2 }] });
  expect(outcome(atHour(12, 10_000))).toBe('policy.not_permitted');
  expect(outcome(atHour(19, 1))).toBe('policy.forbidden');
});

it('the redaction rules of spec/policy.md are rules, and fit their schema', () => {
  const spec = (name: string) => readFileSync(new URL(`../../spec/${name}`, import.meta.url), 'utf8');
  const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(spec('policy.md')) ?? [];
  const json = parse(example) as JsonValue;
  const properties = { account: {}, pin: {}, recipients: {} };
  const tool = { ...TRANSFER, definition: { name: 'transfer', inputSchema: { type: 'object', properties } } };
  const rules = parseRedactionRules(json, [tool]);
  if (!(rules instanceof RedactionRules)) throw new Error(JSON.stringify(rules));
  expect(rules.forTool(tool.id).arguments.show).toBe('preview');
  const validate = new Ajv2020().compile(JSON.parse(spec('redaction.schema.json')) as object);
  expect(validate(json)).toBe(true);
  expect(validate(rules.json)).toBe(true);
  expect(validate({ [tool.id]: { argument: { show: 'digest' } } })).toBe(false);
  expect(validate({ [tool.id]: { arguments: { secret: ['pin'] } } })).toBe(false);
});
