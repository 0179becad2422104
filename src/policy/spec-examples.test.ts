import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
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
