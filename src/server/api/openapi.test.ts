import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ApiDaemon } from '../../../test/support/api-daemon.ts';
import { BUILT_IN_POLICY } from '../access/administrative-policy.ts';

interface Described {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, { operationId?: string; 'x-writ-exposure'?: string }>>;
}

test('spec/openapi.json is what is served (node scripts/generate.js makes it)', async () => {
  const running = await ApiDaemon.start();
  const served = (await (await fetch(new URL('/openapi.json', running.url))).json()) as Described;
  await running.close();
  const committed: unknown = JSON.parse(
    readFileSync(new URL('../../../spec/openapi.json', import.meta.url), 'utf8'),
  );
  expect(served).toEqual(committed);
  expect(served.openapi).toBe('3.1.0');
  const operations = Object.values(served.paths).flatMap((path) => Object.values(path));
  const names = operations.map(({ operationId }) => operationId);
  expect(names).not.toContain(undefined);
  expect(new Set(names).size).toBe(names.length);
  // What is open to anyone is a list that somebody looked at.
  const open = operations.filter((one) => one['x-writ-exposure'] === 'public');
  expect(open.map(({ operationId }) => operationId).toSorted()).toEqual([
    'getAuthorizationServerMetadata',
    'getAuthzenConfiguration',
    'getAuthzenConfigurationAt',
    'getHealth',
    'getOpenApi',
    'getReadiness',
    'openApproval',
    'requestToken',
  ]);
  const local = operations.filter((one) => one['x-writ-exposure'] === 'socket');
  expect(local.map(({ operationId }) => operationId)).toEqual(['superviseProgram', 'appendGovernanceEvents']);
});

test('spec/administration.md has the built-in policy as it is', () => {
  const page = readFileSync(new URL('../../../spec/administration.md', import.meta.url), 'utf8');
  expect(page).toContain(BUILT_IN_POLICY);
});
