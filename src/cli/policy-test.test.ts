import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { toolManifest } from './policy-folder.ts';
import { makeFolder, writ } from './run.test-support.ts';

let folder = '';
let remove = () => {};
beforeAll(() => {
  ({ folder, remove } = makeFolder());
  mkdirSync(join(folder, 'policy/tools'), { recursive: true });
  const definition = {
    name: 'write',
    inputSchema: {
      type: 'object',
      properties: { path: { type: 'string' }, n: { type: 'integer' } },
      required: ['path'],
    },
    annotations: { destructiveHint: false },
  };
  writeFileSync(
    join(folder, 'policy/tools/fs.json'),
    toolManifest('fs', [{ server: 'fs', id: 'mcp://fs/tools/write', definition }]),
  );
  writeFileSync(
    join(folder, 'policy/a.cedar'),
    `@id("open") @approval("operator:2") permit (principal, action, resource) when { principal.enrolled && context.time.hourUtc >= 8 };
@id("git") forbid (principal, action == Writ::Action::"mcp://fs/tools/write", resource) when { context.input.path like "*/.git/*" };
@id("sums") forbid (principal, action == Writ::Action::"mcp://fs/tools/write", resource) when { context.input has n && context.input.n * 9000000000000 < 0 };`,
  );
});
beforeEach(() => {
  rmSync(join(folder, 'policy/cases'), { recursive: true, force: true });
  mkdirSync(join(folder, 'policy/cases'));
});
afterAll(() => remove());

const write = (text: string, name = 'some.yaml') => writeFileSync(join(folder, 'policy/cases', name), text);
const test = () => writ({ cwd: folder }, 'policy', 'test', 'policy', '--json');

const CASES = `cases:
  - name: at work
    given: { agent: builder, tool: "mcp://fs/tools/write", input: { path: /a }, time: 2026-11-02T08:30:00Z }
    expect: { verdict: permit, determining: [open], approvals: ["operator:2"] }
  - name: at night
    given: { agent: builder, tool: "mcp://fs/tools/write", input: { path: /a }, time: 2026-11-02T03:30:00+01:00 }
    expect: { verdict: policy.not_permitted, determining: [] }
  - name: strangers
    given: { agent: "spiffe://elsewhere/x", enrolled: false, tool: "mcp://fs/tools/write", input: { path: /a } }
    expect: { verdict: policy.not_permitted }
  - name: git
    given: { agent: builder, tool: "mcp://fs/tools/write", input: { path: /a/.git/config } }
    expect: { verdict: policy.forbidden, determining: [git] }
  - name: overflow
    given: { agent: builder, tool: "mcp://fs/tools/write", input: { path: /a, n: 9007199254740991 } }
    expect: { verdict: policy.evaluation_failed }
`;

describe('writ policy test', () => {
  it('passes where every case comes out as expected, YAML and JSON alike', async () => {
    write(CASES);
    write(
      JSON.stringify({
        cases: [
          {
            name: 'one',
            given: { agent: 'b', tool: 'mcp://fs/tools/write', input: { path: '/a' } },
            expect: { verdict: 'permit' },
          },
        ],
      }),
      'more.json',
    );
    const { code, json } = await test();
    expect(json).toMatchObject({ passed: 6, failed: 0 });
    expect(code).toBe(0);
  });

  it.each([
    [
      'verdict',
      CASES.replace('verdict: permit', 'verdict: policy.forbidden'),
      /expected policy.forbidden, got permit/,
    ],
    [
      'determining permit',
      CASES.replace('[open]', '[open, git]'),
      /expected determining open, git; was: open/,
    ],
    ['determining forbid', CASES.replace('determining: [git]', 'determining: [sums]'), /forbidden by git/],
    [
      'approvals',
      CASES.replace('"operator:2"', '"operator:3"'),
      /expected approvals operator:3, got operator:2/,
    ],
  ])('fails on another %s', async (_name, text, problem) => {
    write(text);
    const { code, json, out } = await test();
    expect(out).toMatch(problem);
    expect(json).toMatchObject({ passed: 4, failed: 1 });
    expect(code).toBe(1);
  });

  it.each([
    ['a misspelt member', CASES.replace('enrolled: false', 'enroled: false'), /did you mean \\"enrolled\\"/],
    ['a member twice', CASES.replace('name: git', 'name: git\n    name: other'), /unique/],
    ['two cases of one name', CASES.replace('name: git', 'name: overflow'), /two cases are called/],
    ['an alias', 'a: &a [x, x]\ncases: [*a, *a]\n', /alias/i],
    ['a tag', CASES.replace('path: /a }', 'path: !secret /a }'), /tag/i],
    ['a time without a zone', CASES.replace('08:30:00Z', '08:30:00'), /time/],
    [
      'a code of another stage',
      CASES.replace('verdict: permit', 'verdict: scope.tool_not_granted'),
      /verdict/,
    ],
    ['no cases', 'cases: []\n', /cases/],
    ['an empty file', '', /some.yaml/],
    ['two documents', `${CASES}---\n${CASES}`, /document/],
    ['a file without end', `# ${'x'.repeat(1_100_000)}\n${CASES}`, /longer/],
  ])('refuses %s', async (_name, text, problem) => {
    write(text);
    const { code, json } = await test();
    expect(JSON.stringify(json.error)).toMatch(problem);
    expect(code).toBe(2);
  });
});
