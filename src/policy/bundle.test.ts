import { describe, expect, it } from 'vitest';
import { canonicalize, digestOf, type JsonObject, parseJsonObject } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { buildPolicyBundle, formatProblem, parsePolicyBundle } from './bundle.ts';
import { preparePolicy } from './prepared-policy.ts';
import { bundleOf, outcome, prepared, READ, request, TRANSFER } from './samples.test-support.ts';
import { starterPolicy } from './starter-policy.ts';

const PERMIT_ALL = 'permit (principal, action, resource);';

function problemsOf(text: string, tools = [TRANSFER, READ]): string[] {
  const bundle = buildPolicyBundle({ id: 'test', policies: [{ path: 'a.cedar', text }], tools });
  return Array.isArray(bundle) ? bundle.map(formatProblem) : [];
}

function documentOf(bytes: Uint8Array): JsonObject {
  const document = parseJsonObject(bytes, 'policy.unavailable');
  if (isDenial(document)) throw new TypeError(document.detail);
  return document;
}

function encode(document: JsonObject): Uint8Array {
  return new TextEncoder().encode(canonicalize(document));
}

describe('a policy bundle', () => {
  it('is content-addressed: parsing its bytes gives the same digest, schema and policies', () => {
    const bundle = bundleOf(starterPolicy());
    expect(bundle.digest).toBe(digestOf(bundle.bytes));
    const parsed = parsePolicyBundle(bundle.bytes);
    if (isDenial(parsed)) throw new TypeError(parsed.detail);
    expect(parsed).toEqual(bundle);
  });

  it('has the same digest whatever the order of files, tools, and members of definitions', () => {
    const one = { path: 'one.cedar', text: PERMIT_ALL };
    const two = { path: 'two.cedar', text: PERMIT_ALL };
    const reversed = {
      ...TRANSFER,
      definition: Object.fromEntries(Object.entries(TRANSFER.definition).reverse()),
    };
    const left = buildPolicyBundle({ id: 'x', policies: [one, two], tools: [TRANSFER, READ] });
    const right = buildPolicyBundle({ id: 'x', policies: [two, one], tools: [READ, reversed] });
    if (Array.isArray(left) || Array.isArray(right)) throw new TypeError('refused');
    expect(left.digest).toBe(right.digest);
  });

  it('may be empty, and then denies', () => {
    const bundle = buildPolicyBundle({ id: 'empty', policies: [], tools: [TRANSFER] });
    if (Array.isArray(bundle)) throw new TypeError('refused');
    expect(outcome(preparePolicy(bundle).evaluate(request()))).toBe('policy.not_permitted');
  });

  it('stores only the pinned members of definitions', () => {
    const bundle = bundleOf(PERMIT_ALL, [
      { ...READ, definition: { ...READ.definition, icons: ['x'], _meta: { secret: 1 } } },
    ]);
    expect(bundle.tools.get(READ.id)?.definition).toEqual(READ.definition);
    expect(bundle.digest).toBe(bundleOf(PERMIT_ALL, [READ]).digest);
  });

  it('holds the starter policy for any set of tools', () => {
    for (const tools of [[], [READ], [TRANSFER], [READ, TRANSFER]]) {
      expect(problemsOf(starterPolicy(), tools)).toEqual([]);
    }
  });
});

describe('a refused bundle names file, line, column and reason', () => {
  it.each([
    ['syntax', '// é\npermit (principal, action, resource)\n  when { ü };', 'a.cedar:3:10: invalid token'],
    ['missing semicolon', 'permit (principal, action, resource)', 'a.cedar:1:37: unexpected end of input'],
    [
      'unknown attribute',
      `${PERMIT_ALL}\n${PERMIT_ALL.replace(';', ' when { context.nope };')}`,
      'a.cedar:2:',
    ],
    [
      'unknown tool',
      PERMIT_ALL.replace('action', 'action == Writ::Action::"mcp://bank/tools/typo"'),
      'a.cedar:1:',
    ],
    [
      'unguarded optional',
      PERMIT_ALL.replace(';', ' when { context.artifact.owner == "x" };'),
      'a.cedar:1:45:',
    ],
    ['wrong type', PERMIT_ALL.replace(';', ' when { context.artifact.depth == "x" };'), 'a.cedar:1:'],
    ['template', 'permit (principal == ?principal, action, resource);', 'a.cedar:1:22:'],
    [
      'second of two ids',
      `@id("x")\n${PERMIT_ALL}\n@id("x")\n${PERMIT_ALL}`,
      'a.cedar:3:1: policy id x is used twice',
    ],
    ['unknown annotation', `\n@aproval("x:1")\n${PERMIT_ALL}`, 'a.cedar:2:1: unknown annotation @aproval'],
    ['malformed approval', `\n\n@approval("two people")\n${PERMIT_ALL}`, 'a.cedar:3:1: @approval must be'],
    ['more time than usual', `@approval("a:1/15m")\n${PERMIT_ALL}`, 'a.cedar:1:1: @approval must be'],
    ['zero threshold', `@approval("a:0")\n${PERMIT_ALL}`, 'a.cedar:1:1: @approval must be'],
    ['role twice', `@approval("a:1, a:2")\n${PERMIT_ALL}`, 'a.cedar:1:1: @approval must be'],
    [
      'approval on forbid',
      `@approval("a:1")\n${PERMIT_ALL.replace('permit', 'forbid')}`,
      'a.cedar:1:1: @approval belongs',
    ],
    ['bidirectional text', `// \u202e\n${PERMIT_ALL}`, 'a.cedar:1:4: bidirectional'],
  ])('%s', (_, text, expected) => {
    expect(problemsOf(text)[0]).toContain(expected);
  });

  it('lists all problems of all files, in order', () => {
    const bad = PERMIT_ALL.replace(';', ' when { context.nope };');
    const bundle = buildPolicyBundle({
      id: 'test',
      policies: [
        { path: 'b.cedar', text: `${PERMIT_ALL}\n\n${bad}` },
        { path: 'a.cedar', text: bad },
      ],
      tools: [READ],
    });
    if (!Array.isArray(bundle)) throw new TypeError('accepted');
    expect(bundle.map(({ path, line }) => `${path}:${line}`)).toEqual(['a.cedar:1', 'b.cedar:3']);
  });

  it.each([
    ['tool twice', [READ, READ]],
    ['id of another server', [{ ...READ, server: 'fs' }]],
    ['id without a scheme', [{ ...READ, id: 'balance' }]],
    ['control character', [{ ...READ, id: 'mcp://bank/tools/a\u0000b' }]],
    ['lone surrogate', [{ ...READ, definition: { name: '\ud800' } }]],
    ['a member named __proto__', [{ ...READ, definition: JSON.parse('{"inputSchema":{"__proto__":1}}') }]],
    ['deep definition', [{ ...READ, definition: nested(5000) }]],
    ['too many tools', Array.from({ length: 2001 }, (_, n) => ({ ...READ, id: `mcp://bank/t/${n}` }))],
    ['too large', [{ ...READ, definition: { description: 'x'.repeat(1_100_000) } }]],
  ])('tools: %s', (_, tools) => {
    expect(problemsOf(PERMIT_ALL, tools)).toHaveLength(1);
  });

  it('policies: too many', () => {
    expect(problemsOf(PERMIT_ALL.repeat(1001))).toHaveLength(1);
  });
});

function nested(depth: number): JsonObject {
  let value: JsonObject = {};
  for (let level = 0; level < depth; level += 1) value = { a: value };
  return value;
}

describe('parsePolicyBundle', () => {
  const { bytes } = bundleOf(PERMIT_ALL);
  const document = documentOf(bytes);

  it.each<[string, Uint8Array]>([
    ['whitespace', new TextEncoder().encode(` ${new TextDecoder().decode(bytes)}`)],
    ['another type', encode({ ...document, type: 'writ/policy-bundle@v2' })],
    ['unknown member', encode({ ...document, extra: true })],
    ['unknown member of a policy', encode({ ...document, policies: [{ path: 'a', text: '', more: 1 }] })],
    ['unsorted tools', encode({ ...document, tools: [TRANSFER, READ].map((tool) => ({ ...tool })) })],
    ['a schema of its own', encode({ ...document, schema: 'namespace Writ {}' })],
    ['unpinned definition members', encode({ ...document, tools: [{ ...READ, definition: { icons: [] } }] })],
    [
      'policies that no longer validate',
      encode({ ...document, tools: [], policies: [{ path: 'a', text: 'x' }] }),
    ],
    ['null', new TextEncoder().encode('null')],
    ['nothing', new Uint8Array()],
    ['too many bytes', new Uint8Array(1_048_577).fill(0x20)],
  ])('refuses %s', (_, candidate) => {
    const parsed = parsePolicyBundle(candidate);
    expect(isDenial(parsed) && parsed.code).toBe('policy.unavailable');
  });

  it('only what was validated can be prepared', () => {
    expect(() => preparePolicy({ ...bundleOf(PERMIT_ALL) })).toThrow(TypeError);
  });
});

describe('shapes that would exhaust the stack of Cedar', () => {
  const within = (condition: string) => PERMIT_ALL.replace(';', ` when { ${condition} };`);

  it.each([
    ['parentheses', `${'('.repeat(200)}true${')'.repeat(200)}`],
    ['sets', `${'['.repeat(200)}${']'.repeat(200)} == 1`],
    ['conjuncts', `true${' && context.artifact.depth < 5'.repeat(400)}`],
    ['sums', `1${' + 1'.repeat(400)} == 2`],
    ['conditionals', `${'if true then true else '.repeat(800)}true`],
    ['accesses', `context${'.a'.repeat(5000)}`],
    ['a hundred thousand brackets', '('.repeat(100_000)],
    ['clauses', `true }${' unless { false }'.repeat(400)} when { true`],
  ])('are refused: %s', (_, condition) => {
    expect(problemsOf(within(condition))[0]).toMatch(/^a\.cedar:1:\d+: policy /);
    // And Cedar still works.
    expect(outcome(prepared(PERMIT_ALL).evaluate(request()))).toBe('permit');
  });

  it.each([
    ['parentheses', `${'('.repeat(30)}true${')'.repeat(30)}`],
    ['conjuncts', `true${' && context.artifact.depth < 5'.repeat(149)}`],
    ['conditionals', `${'if context.artifact.depth > 5 then true else '.repeat(149)}true`],
    [
      'all of them',
      `true${' && true'.repeat(148)} && ${'(1 + '.repeat(24)}1${' + 1'.repeat(8)}${')'.repeat(24)} == 33`,
    ],
  ])('up to the bounds evaluate: %s', (_, condition) => {
    expect(outcome(prepared(within(condition)).evaluate(request()))).toBe('permit');
  });
});
