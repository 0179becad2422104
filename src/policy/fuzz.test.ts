import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalize, type JsonObject, type JsonValue } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { buildPolicyBundle, parsePolicyBundle } from './bundle.ts';
import { inputTypeOf } from './input-type.ts';
import { toCedarInput } from './input-value.ts';
import { preparePolicy } from './prepared-policy.ts';
import { bundleOf, outcome, prepared, READ, request, TRANSFER } from './samples.test-support.ts';
import { starterPolicy } from './starter-policy.ts';

const RUNS = 10_000;

const escapeValue = fc.constantFrom<JsonValue>(
  { __entity: { type: 'Writ::Agent', id: 'x' } },
  { __extn: { fn: 'decimal', arg: '1.0' } },
  { __expr: 'principal' },
  2 ** 63,
  -0,
  1e-7,
  '\ud800',
  null,
);
const hostileValue = fc.oneof(
  { weight: 2, arbitrary: escapeValue },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue> },
);
const hostileName = fc.constantFrom(
  ...[
    'account',
    'count',
    'amount',
    'urgent',
    'tags',
    'note',
    'anything',
    '__entity',
    '__extn',
    '__proto__',
    'constructor',
    '',
    '\udfff',
  ],
);
const hostileArgs: fc.Arbitrary<JsonObject> = fc
  .tuple(
    fc.constantFrom<JsonObject>({}, { account: 'a' }),
    fc.dictionary(hostileName, hostileValue, { maxKeys: 5 }),
  )
  .map(([base, more]) => ({ ...base, ...more }));

describe('hostile', () => {
  it('arguments never throw, and never permit where everything is forbidden', () => {
    const policy = prepared(
      'permit (principal, action, resource); @id("all") forbid (principal, action, resource);',
    );
    fc.assert(
      fc.property(hostileArgs, (input) => {
        expect(['policy.forbidden', 'policy.evaluation_failed']).toContain(
          outcome(policy.evaluate(request({ input }))),
        );
      }),
      { numRuns: RUNS },
    );
  });

  it('argument types and values give only what the type declares', () => {
    const schema = fc.letrec<{ schema: JsonValue }>((tie) => ({
      schema: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom<JsonValue>(
          { type: 'string' },
          { type: 'integer' },
          { type: 'number' },
          { type: ['string', 'null'] },
          {},
          true,
        ),
        tie('schema').map((items) => ({ type: 'array', items })),
        fc.dictionary(hostileName, tie('schema')).map((properties) => ({ type: 'object', properties })),
      ),
    })).schema;
    fc.assert(
      fc.property(fc.dictionary(hostileName, schema), hostileArgs, (properties, args) => {
        const converted = toCedarInput(inputTypeOf({ type: 'object', properties }), args, new Set());
        if (isDenial(converted)) return;
        const text = JSON.stringify(converted.input);
        expect(text).not.toMatch(/__entity|__expr|"fn":"(?!decimal")/);
      }),
      { numRuns: RUNS },
    );
  });

  it('bundle bytes never throw, and what parses is what was built', () => {
    const { bytes } = bundleOf('permit (principal, action, resource);', [READ]);
    const mutated = fc
      .array(fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 })), {
        minLength: 1,
        maxLength: 4,
      })
      .map((edits) => {
        const copy = bytes.slice();
        for (const [at, value] of edits) copy[at] = value;
        return copy;
      });
    const documents = fc
      .record(
        {
          type: fc.constant('writ/policy-bundle@v1'),
          id: fc.constantFrom<JsonValue>('x', '', 5),
          policies: fc.constantFrom<JsonValue>([], [5], [{ path: 'a', text: 'permit' }], {}, null),
          tools: fc.constantFrom<JsonValue>([], [5], [{ server: 'x', id: 'x', definition: {} }], 'x'),
          schema: fc.constantFrom<JsonValue>('', 5),
        },
        { requiredKeys: [] },
      )
      .map((document) => new TextEncoder().encode(canonicalize(document)));
    const truncated = fc.nat(bytes.length - 1).map((length) => bytes.slice(0, length));
    fc.assert(
      fc.property(fc.oneof(mutated, documents, truncated, fc.uint8Array({ maxLength: 64 })), (candidate) => {
        const parsed = parsePolicyBundle(candidate);
        if (isDenial(parsed)) expect(parsed.code).toBe('policy.unavailable');
        else expect(Buffer.compare(parsed.bytes, candidate)).toBe(0);
      }),
      { numRuns: RUNS },
    );
  }, 60_000);

  it('policy text is built or refused with a place', () => {
    const words = fc.constantFrom(
      ...[
        'permit',
        'forbid',
        '(',
        ')',
        '{',
        '}',
        '[',
        ']',
        ';',
        '"',
        '\\',
        '//',
        '\n',
        '\r',
        ',',
        'when',
        'unless',
        'if',
        'then',
        'else',
        '&&',
        '==',
        'in',
        'has',
        '.',
        '@id',
        '("a")',
        '?principal',
        'principal',
        'action',
        'resource',
        'context',
        ' ',
        'é',
        '😀',
        '\u202e',
        'permit(principal,action,resource);',
        '1',
        '-',
        '!',
        '\u0000',
        '\ud800',
      ],
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 20 }), (parts) => {
        const built = buildPolicyBundle({
          id: 'x',
          policies: [{ path: 'f', text: parts.join('') }],
          tools: [],
        });
        if (Array.isArray(built)) {
          expect(built.length).toBeGreaterThan(0);
          for (const problem of built) expect(problem.path).toBe('f');
        }
      }),
      { numRuns: 2000 },
    );
  }, 60_000);
});

describe('evaluation', () => {
  const T = `action == Writ::Action::"${TRANSFER.id}"`;
  const policies = [
    'permit (principal, action, resource) when { principal.enrolled };',
    '@approval("a:1") permit (principal, action, resource) when { context.lineage.isRoot };',
    `permit (principal, ${T}, resource) when { context.input.account like "a*" };`,
    `forbid (principal, ${T}, resource) when { context.input has count && context.input.count > 5 };`,
    `forbid (principal, ${T}, resource) when { context.input has count && context.input.count * 9223372036854775807 == 1 };`,
    `forbid (principal, ${T}, resource) when { context.unrepresented.contains("anything") };`,
  ].map((text, index) => `@id("p${index}") ${text}`);

  it('is deterministic, and blind to the order of policies', () => {
    const straight = prepared(policies.join('\n'));
    const orders = [
      [5, 4, 3, 2, 1, 0],
      [3, 0, 5, 1, 4, 2],
    ].map((order) => prepared(order.map((index) => policies[index]).join('\n')));
    const args = fc.record(
      {
        account: fc.constantFrom('a', 'b'),
        count: fc.integer({ min: -1, max: 7 }),
        anything: fc.constant(1),
      },
      { requiredKeys: ['account'] },
    );
    fc.assert(
      fc.property(args, fc.boolean(), (input, enrolled) => {
        const asked = request({ input, principal: { id: 'x', enrolled, thumbprint: 't' } });
        const first = straight.evaluate(asked);
        expect(straight.evaluate(asked)).toEqual(first);
        for (const policy of orders) expect(policy.evaluate(asked)).toEqual(first);
      }),
      { numRuns: 300 },
    );
  });

  it('agrees with Cedar validating the very request against the schema', async () => {
    const { withPreparsed } = await import('./policy-slot.ts');
    const { withCedar } = await import('./cedar.ts');
    const bundle = bundleOf(starterPolicy());
    const policy = preparePolicy(bundle);
    withCedar((cedar) => cedar.preparseSchema('agreement', bundle.schema));
    const texts = Object.fromEntries(bundle.policies.map(({ id, text }) => [id, text]));
    fc.assert(
      fc.property(hostileArgs, (input) => {
        const call = policy.authorizationCall(request({ input }));
        if (isDenial(call)) return;
        const [principal] = call.entities;
        const answer = withPreparsed(texts, (cedar, preparsedPolicySetId) =>
          cedar.statefulIsAuthorized({
            ...call,
            entities: principal === undefined ? [] : [principal],
            preparsedPolicySetId,
            preparsedSchemaName: 'agreement',
            validateRequest: true,
          }),
        );
        // INVARIANT: whatever our conversion lets through, Cedar's request validation would have accepted.
        expect(answer.type).toBe('success');
      }),
      { numRuns: 1000 },
    );
  });
});
