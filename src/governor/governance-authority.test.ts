import { afterEach, beforeEach, expect, it } from 'vitest';
import { nowSeconds, TestDomain } from '../../test/support/trust-domain.ts';
import { type Denial, isDenial } from '../denial/index.ts';
import { SigningKey } from '../key/index.ts';
import { appendGovernance, GovernanceAuthority, openGovernanceFollower } from './index.ts';

let domain: TestDomain;
let authority: GovernanceAuthority;

beforeEach(async () => {
  domain = await TestDomain.create();
  const opened = await GovernanceAuthority.open(domain.home);
  if (isDenial(opened)) throw new Error(opened.detail);
  authority = opened;
});
afterEach(async () => {
  await authority.close();
  domain.dispose();
});

const jwk = SigningKey.generate().publicKey.jwk;

function enrolled(subject: string) {
  return { event: 'agent.enrolled', at: nowSeconds(), actor: 'test', subject, jwk } as const;
}

function revoked(value: string) {
  return { event: 'revoked', at: nowSeconds(), actor: 'test', handle: 'subject', value } as const;
}

it('is the only writer: another one is refused, whatever process it is in', async () => {
  const second = await GovernanceAuthority.open(domain.home);
  expect(isDenial(second) && second.code).toBe('log.unavailable');
  expect(isDenial(second) && second.detail).toContain(`process ${process.pid}`);
});

it('of conflicting events that are asked for at the same time, exactly one is recorded', async () => {
  // One key, two subjects: the second binding is a conflict.
  const asked = await Promise.all(
    ['one', 'two', 'three'].map((name) => authority.append([enrolled(domain.home.agent(name))])),
  );
  expect(asked.filter((size) => !isDenial(size))).toHaveLength(1);
  expect(asked.filter((size) => isDenial(size)).map((denial) => (denial as Denial).code)).toEqual([
    'request.malformed',
    'request.malformed',
  ]);
});

it('records all events of a request or none', async () => {
  const before = authority.size;
  const conflict = [enrolled(domain.home.agent('one')), enrolled(domain.home.agent('two'))];
  expect(isDenial(await authority.append(conflict))).toBe(true);
  expect(authority.size).toBe(before);
});

it('answers when every follower honours what it recorded, a storm of revocations included', async () => {
  const follower = openGovernanceFollower(domain.home);
  if (isDenial(follower)) throw new Error(follower.detail);
  const honoured = await Promise.all(
    Array.from({ length: 500 }, async (_, number) => {
      const subject = domain.home.agent(`a${number}`);
      const size = await authority.append([revoked(subject)]);
      // What this caller asked for is in force for others now, not only some time later.
      return !isDenial(size) && follower.refresh().size >= size;
    }),
  );
  expect(honoured.every(Boolean)).toBe(true);
  expect(follower.view.size).toBe(authority.size);
  follower.close();
});

it('is what a home appends through, once it has one', async () => {
  const home = domain.home.withWriter(authority);
  const size = await appendGovernance(home, [revoked(home.agent('x'))]);
  expect(size).toBe(authority.size);
  // Without it, the lock keeps everybody else out: nothing is written past it.
  const past = await appendGovernance(domain.home, [revoked(home.agent('y'))]);
  expect(isDenial(past) && past.code).toBe('log.unavailable');
  expect(authority.size).toBe(size);
}, 20_000);
