import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import type { PolicyBundle } from './bundle.ts';
import { withPreparsed } from './policy-slot.ts';
import { PreparedPolicy } from './prepared-policy.ts';
import { bundleOf, FACTS, outcome, prepared, READ, request, TRANSFER } from './samples.test-support.ts';

const PERMIT_ALL = '@id("all") permit (principal, action, resource);';
const MAX_LONG = '9223372036854775807';

/** A bundle whose policies skipped validation, to reach errors that validation would have refused. */
function unvalidated(text: string): PreparedPolicy {
  const bundle: PolicyBundle = bundleOf(PERMIT_ALL);
  const [permit] = bundle.policies;
  if (permit === undefined) throw new TypeError('no policy');
  return new PreparedPolicy({
    ...bundle,
    policies: [permit, { ...permit, id: 'erring', text, usesWholeContext: true }],
  });
}

/** What Cedar alone says of the request. */
function bareDecision(policy: PreparedPolicy, text: string): string {
  const call = policy.authorizationCall(request());
  if (isDenial(call)) return call.code;
  const answer = withPreparsed({ all: PERMIT_ALL, erring: text }, (cedar, preparsedPolicySetId) =>
    cedar.statefulIsAuthorized({ ...call, preparsedPolicySetId }),
  );
  return answer.type === 'success' ? answer.response.decision : answer.type;
}

describe('the verdict', () => {
  it('permits what a policy permits, and names it', () => {
    expect(prepared(PERMIT_ALL).evaluate(request())).toEqual({ determining: ['all'], approvals: [] });
  });

  it('forbid trumps permit', () => {
    const policy = prepared(`${PERMIT_ALL} @id("no") forbid (principal, action, resource);`);
    expect(policy.evaluate(request())).toMatchObject({ code: 'policy.forbidden', detail: 'forbidden by no' });
  });

  it('is not_permitted when no policy speaks', () => {
    const policy = prepared('permit (principal, action in Writ::Action::"read", resource);');
    expect(outcome(policy.evaluate(request()))).toBe('policy.not_permitted');
    expect(outcome(policy.evaluate(request({ tool: READ.id, input: {} })))).toBe('permit');
  });

  it('is evaluation_failed for a tool the bundle does not have', () => {
    const denied = prepared(PERMIT_ALL).evaluate(request({ tool: 'mcp://bank/tools/other' }));
    expect(denied).toMatchObject({
      code: 'policy.evaluation_failed',
      detail: 'tool is not in the policy bundle',
    });
  });

  it('does not take a group for a tool', () => {
    expect(outcome(prepared(PERMIT_ALL).evaluate(request({ tool: 'read' })))).toBe(
      'policy.evaluation_failed',
    );
  });
});

describe('an erroring forbid denies, though Cedar would skip it and allow', () => {
  it.each([
    ['missing attribute', 'forbid (principal, action, resource) when { context.artifact.owner == "x" };'],
    [
      'missing attribute of an entity',
      'forbid (principal, action, resource) when { resource.owner == "x" };',
    ],
    ['wrong type', 'forbid (principal, action, resource) when { context.input.account < 5 };'],
    [
      'in on a non-entity',
      'forbid (principal, action, resource) when { context.input.account in principal };',
    ],
    ['overflow', `forbid (principal, action, resource) when { context.artifact.depth + ${MAX_LONG} > 0 };`],
    [
      'extension constructor',
      'forbid (principal, action, resource) when { decimal("x") == decimal("1.0") };',
    ],
  ])('%s', (_, text) => {
    const policy = unvalidated(text);
    expect(bareDecision(policy, text)).toBe('allow');
    const denied = policy.evaluate(request());
    expect(denied).toMatchObject({
      code: 'policy.evaluation_failed',
      detail: 'evaluation of erring failed',
    });
  });

  it('and overflow gets there through strict validation', () => {
    const policy = prepared(
      `${PERMIT_ALL} forbid (principal, action == Writ::Action::"${TRANSFER.id}", resource)
       when { context.input has count && context.input.count * ${MAX_LONG} > 5 };`,
    );
    expect(outcome(policy.evaluate(request({ input: { account: 'a', count: 1 } })))).toBe('policy.forbidden');
    expect(outcome(policy.evaluate(request({ input: { account: 'a', count: 2 } })))).toBe(
      'policy.evaluation_failed',
    );
  });

  it('an erroring permit denies too, beside one that matches', () => {
    const policy = unvalidated('permit (principal, action, resource) when { context.nope };');
    expect(outcome(policy.evaluate(request()))).toBe('policy.evaluation_failed');
  });

  it('a policy that is out of scope is not evaluated and cannot err', () => {
    const policy = unvalidated(
      'forbid (principal, action in Writ::Action::"read", resource) when { context.nope };',
    );
    expect(outcome(policy.evaluate(request()))).toBe('permit');
  });

  it('the detail never quotes values', () => {
    const policy = prepared(
      `${PERMIT_ALL} forbid (principal, action == Writ::Action::"${TRANSFER.id}", resource)
       when { context.input has count && context.input.count * ${MAX_LONG} > 5 };`,
    );
    const denied = policy.evaluate(request({ input: { account: 'SECRET', count: 424_242 } }));
    expect(isDenial(denied) && denied.detail).not.toMatch(/424242|SECRET/);
  });
});

describe('what policies see', () => {
  const onTransfer = (condition: string) =>
    prepared(
      `permit (principal, action == Writ::Action::"${TRANSFER.id}", resource == Writ::Server::"bank") when { ${condition} };`,
    );

  it.each<[string, JsonObject]>([
    ['context.input.account like "a-*"', {}],
    ['context.input has count && context.input.count == -5', { count: -5 }],
    ['context.input has amount && context.input.amount.lessThan(decimal("10.5"))', { amount: 10.4999 }],
    ['context.input has amount && context.input.amount == decimal("3.0")', { amount: 3 }],
    ['context.input has urgent && context.input.urgent', { urgent: true }],
    ['context.input has tags && context.input.tags.containsAll(["x", "y"])', { tags: ['y', 'x', 'x'] }],
    [
      'context.input has note && context.input.note has page && context.input.note.page == 2',
      { note: { page: 2 } },
    ],
    ['context.unrepresented == ["anything"]', { anything: [1] }],
    ['context.unrepresented.contains("note")', { note: { text: 'x', more: 1 } }],
    ['context.unrepresented == ["undeclared"]', { undeclared: null }],
    ['!(context.input has count) && context.unrepresented.isEmpty()', {}],
    ['action in Writ::Action::"write" && !(action in Writ::Action::"destructive")', {}],
    ['principal == Writ::Agent::"spiffe://local/agent/demo" && principal.enrolled', {}],
    [`principal.thumbprint == "${'T'.repeat(43)}"`, {}],
    ['context.artifact.issuer == "spiffe://local/issuer" && context.artifact.expiresInSeconds == 300', {}],
    ['context.environment.measured && context.environment has digest', {}],
    ['context.lineage.isRoot && !(context.lineage has parentTool)', {}],
    ['context.time.dayOfWeekUtc == 2 && context.time.hourUtc == 22 && context.time.minuteUtc == 13', {}],
  ])('%s', (condition, args) => {
    const policy = onTransfer(condition);
    expect(outcome(policy.evaluate(request({ input: { account: 'a-1', ...args } })))).toBe('permit');
  });

  it('every fact, when given', () => {
    const policy = onTransfer(
      `context.artifact has initiator && context.artifact.initiator.kind == "human" &&
       context.artifact.initiator.id == "spiffe://local/user/ada" &&
       context.artifact has owner && context.artifact.owner == "ops" &&
       context.artifact has purpose && context.artifact.purpose == "p" &&
       context.artifact has reference && context.artifact.reference == "r" &&
       context.artifact has risk && context.artifact.risk == "low" &&
       context.lineage has parentTool && context.lineage.parentTool == "mcp://a/b/c"`,
    );
    const facts = {
      ...FACTS,
      artifact: {
        ...FACTS.artifact,
        initiator: { id: 'spiffe://local/user/ada', kind: 'human' },
        owner: 'ops',
        purpose: 'p',
        reference: 'r',
        risk: 'low',
      },
      lineage: { isRoot: false, depth: 1, parentTool: 'mcp://a/b/c' },
    };
    expect(outcome(policy.evaluate(request({ facts })))).toBe('permit');
  });

  it('facts that are not of their type deny', () => {
    for (const depth of [1.5, Number.NaN, 2 ** 60]) {
      const facts = { ...FACTS, lineage: { isRoot: true, depth } };
      expect(outcome(prepared(PERMIT_ALL).evaluate(request({ facts })))).toBe('policy.evaluation_failed');
    }
  });
});

describe('hostile arguments', () => {
  it.each<[string, JsonObject]>([
    ['an entity where a string is declared', { account: { __entity: { type: 'Writ::Agent', id: 'x' } } }],
    ['an extension where a string is declared', { account: { __extn: { fn: 'ip', arg: '1.1.1.1' } } }],
    [
      'an extension where a number is declared',
      { account: 'a', amount: { __extn: { fn: 'decimal', arg: '1.0' } } },
    ],
    ['a number where a string is declared', { account: 5 }],
    ['text where an integer is declared', { account: 'a', count: '5' }],
    ['a fraction where an integer is declared', { account: 'a', count: 1.5 }],
    ['an integer beyond exact', { account: 'a', count: 2 ** 63 }],
    ['null where it is not declared', { account: 'a', urgent: null }],
    ['a mixed array', { account: 'a', tags: ['x', 1] }],
    ['an array for an object', { account: 'a', note: [] }],
    ['a missing required argument', {}],
    ['a lone surrogate', { account: '\ud800' }],
    ['an array of 100,000', { account: 'a', tags: new Array(100_000).fill('x') }],
  ])('%s fails', (_, input) => {
    expect(outcome(prepared(PERMIT_ALL).evaluate(request({ input })))).toBe('policy.evaluation_failed');
  });

  it('undeclared names that are escapes stay names', () => {
    const policy = prepared(
      'permit (principal, action, resource) when { context.unrepresented.containsAll(["__entity", "__extn"]) };',
    );
    const input = {
      account: 'a',
      __entity: { type: 'Writ::Agent', id: 'x' },
      __extn: { fn: 'ip', arg: '1.1.1.1' },
    };
    expect(outcome(policy.evaluate(request({ input })))).toBe('permit');
  });

  it('inherited members are not arguments', () => {
    const input: JsonObject = Object.create({ account: 'a-1' });
    expect(outcome(prepared(PERMIT_ALL).evaluate(request({ input })))).toBe('policy.evaluation_failed');
  });

  it('a number without exact decimal fails where a policy reads it, and is unrepresented where none does', () => {
    const input = { account: 'a', amount: 52.520008 };
    const reads = prepared(
      `${PERMIT_ALL} forbid (principal, action == Writ::Action::"${TRANSFER.id}", resource)
       when { context.input has amount && context.input.amount.greaterThan(decimal("100.0")) };`,
    );
    expect(outcome(reads.evaluate(request({ input })))).toBe('policy.evaluation_failed');
    const quoted = prepared(
      `${PERMIT_ALL} forbid (principal, action == Writ::Action::"${TRANSFER.id}", resource)
       when { context.input has "am\\u{6f}unt" && context.input["am\\u{6f}unt"].greaterThan(decimal("1.0")) };`,
    );
    expect(outcome(quoted.evaluate(request({ input })))).toBe('policy.evaluation_failed');
    const blind = prepared(
      `${PERMIT_ALL} @id("blind") forbid (principal, action, resource) when { context.unrepresented.contains("amount") };`,
    );
    expect(outcome(blind.evaluate(request({ input })))).toBe('policy.forbidden');
    expect(outcome(prepared(PERMIT_ALL).evaluate(request({ input })))).toBe('permit');
  });
});

describe('approvals', () => {
  it('are the union over determining permits, with the highest threshold of each role', () => {
    const policy = prepared(`
      @approval("operator:1, security:2") permit (principal, action, resource);
      @approval("operator:3") permit (principal, action, resource) when { principal.enrolled };
      @approval("lawyer:1") permit (principal, action, resource) when { !principal.enrolled };
    `);
    expect(policy.evaluate(request())).toEqual({
      determining: ['test.cedar#1', 'test.cedar#2'],
      approvals: [
        { role: 'operator', threshold: 3 },
        { role: 'security', threshold: 2 },
      ],
    });
  });

  it('keep the shortest time that a permit gives a role', () => {
    const policy = prepared(`
      @approval("operator:1/5m") permit (principal, action, resource);
      @approval("operator:2/90s, security:1") permit (principal, action, resource);
    `);
    expect(policy.evaluate(request())).toMatchObject({
      approvals: [
        { role: 'operator', threshold: 2, withinSeconds: 90 },
        { role: 'security', threshold: 1 },
      ],
    });
  });

  it('stay with a plain permit that matches too', () => {
    const policy = prepared(`${PERMIT_ALL} @approval("operator:1") permit (principal, action, resource);`);
    expect(policy.evaluate(request())).toMatchObject({ approvals: [{ role: 'operator', threshold: 1 }] });
  });
});

describe('what of the context is handed to Cedar', () => {
  const contextOf = (text: string): string[] => {
    const call = prepared(text).evaluationCall(request());
    return isDenial(call) ? [] : Object.keys(call.context).sort();
  };

  it('is what some policy names, whole', () => {
    expect(contextOf(PERMIT_ALL)).toEqual([]);
    expect(contextOf('permit (principal, action, resource) when { context.time.hourUtc < 25 };')).toEqual([
      'time',
    ]);
    const timed = prepared('permit (principal, action, resource) when { context.time.hourUtc < 25 };');
    const call = timed.evaluationCall(request());
    expect(isDenial(call) ? call : call.context.time).toEqual({ hourUtc: expect.any(Number) });
    expect(
      contextOf(
        `${PERMIT_ALL} forbid (principal, action, resource) unless { context has lineage && context.artifact has owner };`,
      ),
    ).toEqual(['artifact', 'lineage']);
  });

  it('is everything where a policy uses the context as a whole', () => {
    const all = ['artifact', 'environment', 'input', 'lineage', 'time', 'unrepresented'];
    const whole = 'permit (principal, action, resource) when { [context].contains(context) };';
    expect(contextOf(whole)).toEqual(all);
    expect(prepared(whole).evaluate(request())).toMatchObject({ determining: [expect.any(String)] });
  });

  it('changes no verdict', () => {
    const policies = [
      'permit (principal, action, resource) when { context.environment.measured };',
      'permit (principal, action, resource) when { context.environment == context.environment };',
      'permit (principal, action, resource) when { [context.time].contains(context.time) };',
      'permit (principal, action, resource) when { (if true then context.time else context.time).hourUtc < 25 };',
      'permit (principal, action, resource) when { context.artifact has initiator.kind };',
      'permit (principal, action, resource) when { context has artifact.initiator.kind };',
      'permit (principal, action, resource) when { context.artifact has initiator && context.artifact.initiator.kind == "agent" };',
      'permit (principal, action, resource) unless { context.unrepresented.contains("x") };',
      'forbid (principal, action, resource) when { context.lineage.isRoot };',
    ];
    for (const text of policies) {
      const policy = prepared(text);
      const full = policy.authorizationCall(request());
      const pruned = policy.evaluationCall(request());
      if (isDenial(full) || isDenial(pruned)) throw new TypeError('no call');
      const decide = (call: typeof full) =>
        withPreparsed({ all: text }, (cedar, preparsedPolicySetId) =>
          cedar.statefulIsAuthorized({ ...call, preparsedPolicySetId }),
        );
      expect(decide(pruned)).toEqual(decide(full));
    }
  });
});
