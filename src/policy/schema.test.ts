import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { withCedar } from './cedar.ts';
import { timeFacts } from './facts.ts';
import { FIXED_SCHEMA, policySchema } from './schema.ts';

it('the published schema is the fixed part', () => {
  const published = new URL('../../spec/policy.cedarschema', import.meta.url);
  expect(readFileSync(published, 'utf8')).toBe(FIXED_SCHEMA);
  expect(policySchema([])).toBe(FIXED_SCHEMA);
  expect(withCedar((cedar) => cedar.checkParseSchema(FIXED_SCHEMA)).type).toBe('success');
});

it('time facts are those of UTC', () => {
  for (const seconds of [0, 1, 86_399, 86_400, 951_827_696.9, 1_700_000_000, 4_102_444_799, -1, -86_401]) {
    const date = new Date(Math.floor(seconds) * 1000);
    expect(timeFacts(seconds)).toEqual({
      epochSeconds: Math.floor(seconds),
      hourUtc: date.getUTCHours(),
      minuteUtc: date.getUTCMinutes(),
      dayOfWeekUtc: date.getUTCDay(),
    });
  }
});
