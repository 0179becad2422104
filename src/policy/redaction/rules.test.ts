import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { buildPolicyBundle, parsePolicyBundle } from '../bundle.ts';
import { READ, TRANSFER } from '../samples.test-support.ts';
import { parseRedactionRules, RedactionRules } from './rules.ts';

const TOOLS = [TRANSFER, READ];

function rulesOf(json: JsonValue): RedactionRules {
  const rules = parseRedactionRules(json, TOOLS);
  if (rules instanceof RedactionRules) return rules;
  throw new Error(JSON.stringify(rules));
}

const problemsOf = (json: JsonValue): string[] => {
  const rules = parseRedactionRules(json, TOOLS);
  return rules instanceof RedactionRules ? [] : rules.map(({ at, reason }) => `${at.join(' ')}: ${reason}`);
};

describe('redaction rules', () => {
  it('show a digest only where none says more', () => {
    for (const rules of [rulesOf({}), rulesOf({ [READ.id]: { results: { show: 'preview' } } })]) {
      expect(rules.forTool(TRANSFER.id)).toEqual({
        arguments: { show: 'digest', secret: [] },
        results: { show: 'digest', secret: [] },
      });
    }
  });

  it('go by the most specific that states what is shown, and add up what is secret', () => {
    const rules = rulesOf({
      '*': { arguments: { show: 'preview', secret: ['/account'] }, results: { show: 'preview' } },
      'mcp://bank/*': { arguments: { show: ['/count'] } },
      'mcp://bank/tools/*': { results: { secret: ['/token'] } },
      [TRANSFER.id]: { arguments: { secret: ['/note/text'] }, results: { show: 'digest' } },
    });
    expect(rules.forTool(TRANSFER.id)).toEqual({
      arguments: { show: [['count']], secret: [['note', 'text'], ['account']] },
      results: { show: 'digest', secret: [['token']] },
    });
    expect(rules.forTool('mcp://bank/resources/read').results).toEqual({ show: 'preview', secret: [] });
    expect(rules.forTool('mcp://bank').arguments).toEqual({ show: 'preview', secret: [['account']] });
    expect(rules.forTool('mcp://bankrupt/tools/x').arguments.show).toBe('preview');
  });

  it.each<[string, JsonValue, RegExp]>([
    ['a list', [], /not a mapping/],
    [
      'a tool nobody lists',
      { 'mcp://bank/tools/transfr': { arguments: { show: 'digest' } } },
      /did you mean mcp:\/\/bank\/tools\/transfer\?/,
    ],
    [
      'a server nobody has',
      { 'mcp://banc/*': { arguments: { show: 'digest' } } },
      /did you mean mcp:\/\/bank\/\*\?/,
    ],
    [
      'an unknown key',
      { '*': { argument: { show: 'digest' } } },
      /unknown key "argument"; did you mean arguments/,
    ],
    [
      'an unknown key within',
      { '*': { arguments: { secrets: ['/a'] } } },
      /unknown key "secrets"; did you mean secret\?/,
    ],
    ['an empty rule', { '*': {} }, /not a mapping/],
    ['an empty half', { '*': { results: {} } }, /not a mapping/],
    ['a word it does not know', { '*': { results: { show: 'all' } } }, /not digest, preview/],
    ['no pointers', { '*': { arguments: { secret: [] } } }, /not a list of 1 to 64/],
    ['a pointer that is none', { '*': { arguments: { secret: ['account'] } } }, /not a JSON pointer/],
    ['a pointer to everything', { '*': { arguments: { secret: [''] } } }, /not a JSON pointer/],
    ['a pointer with a wrong escape', { '*': { arguments: { secret: ['/a~2'] } } }, /not a JSON pointer/],
    [
      'a misspelt secret',
      { [TRANSFER.id]: { arguments: { secret: ['/acount'] } } },
      /no argument \/acount; did you mean account\?/,
    ],
    [
      'a misspelt secret within',
      { [TRANSFER.id]: { arguments: { secret: ['/note/txt'] } } },
      /no argument \/note\/txt; did you mean text\?/,
    ],
    ['a misspelt field', { [TRANSFER.id]: { arguments: { show: ['/cuont'] } } }, /did you mean count\?/],
  ])('refuse %s', (_, json, message) => {
    expect(problemsOf(json).join('\n')).toMatch(message);
  });

  it('may name what a schema leaves open', () => {
    expect(
      problemsOf({ [TRANSFER.id]: { arguments: { secret: ['/anything/at/all', '/tags/0', '/*'] } } }),
    ).toEqual([]);
  });
});

describe('a bundle with redaction rules', () => {
  const policies = [{ path: 'a.cedar', text: 'permit (principal, action, resource);' }];
  const bundleOf = (rules?: JsonValue) => {
    const redaction = rules === undefined ? {} : { redaction: { path: 'redaction.yaml', rules } };
    const bundle = buildPolicyBundle({ id: 'x', policies, tools: TOOLS, ...redaction });
    if (Array.isArray(bundle)) throw new Error(JSON.stringify(bundle));
    return bundle;
  };

  it('holds them under its digest, in one form whatever their order', () => {
    const rules = {
      '*': { arguments: { secret: ['/note', '/account', '/note'] } },
      [READ.id]: { results: { show: 'preview' } },
    };
    const reversed = {
      [READ.id]: { results: { show: 'preview' } },
      '*': { arguments: { secret: ['/account', '/note'] } },
    };
    expect(bundleOf(rules).digest).toBe(bundleOf(reversed).digest);
    expect(bundleOf(rules).digest).not.toBe(bundleOf().digest);
    const parsed = parsePolicyBundle(bundleOf(rules).bytes);
    if (isDenial(parsed)) throw new Error(parsed.detail);
    expect(parsed.digest).toBe(bundleOf(rules).digest);
    expect(parsed.redaction?.forTool(TRANSFER.id).arguments.secret).toEqual([['account'], ['note']]);
  });

  it('is refused where they are not in that form, or not rules', () => {
    const document = JSON.parse(
      Buffer.from(bundleOf({ '*': { arguments: { secret: ['/account', '/note'] } } }).bytes).toString('utf8'),
    ) as { redaction: unknown };
    for (const redaction of [{ '*': { arguments: { secret: ['/note', '/account'] } } }, { '*': 1 }, null]) {
      const bytes = Buffer.from(JSON.stringify({ ...document, redaction }));
      expect(parsePolicyBundle(bytes)).toMatchObject({ code: 'policy.unavailable' });
    }
  });
});
