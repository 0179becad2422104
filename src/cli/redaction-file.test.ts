import { describe, expect, it } from 'vitest';
import { formatProblem } from '../policy/index.ts';
import { readRedactionFile } from './redaction-file.ts';

const read = (text: string) => {
  const source = readRedactionFile('redaction.yaml', text);
  return 'reason' in source ? formatProblem(source) : source.rules;
};

describe('readRedactionFile', () => {
  it('reads YAML, and JSON as it is', () => {
    const rules = {
      'mcp://fs/*': { arguments: { show: ['/path'], secret: ['/content'] } },
      '*': { results: { show: 'preview' } },
    };
    expect(read(JSON.stringify(rules))).toEqual(rules);
    expect(
      read(
        `# why\nmcp://fs/*:\n  arguments:\n    show: [/path]\n    secret:\n      - /content\n"*": {results: {show: preview}}\n`,
      ),
    ).toEqual(rules);
    expect(read('# nothing yet\n')).toEqual({});
  });

  it('knows where what it read stands', () => {
    const source = readRedactionFile('redaction.yaml', 'a:\n  arguments:\n    show: [/x, /y]\n');
    if ('reason' in source) throw new Error(source.reason);
    expect(source.placeOf?.(['a'])).toEqual({ line: 1, column: 1 });
    expect(source.placeOf?.(['a', 'arguments', 'show', '1'])).toEqual({ line: 3, column: 16 });
    expect(source.placeOf?.(['a', 'arguments', 'absent'])).toEqual({ line: 2, column: 3 });
  });

  it.each([
    ['a key twice', 'a: 1\na: 2\n', 'redaction.yaml:2:1: Map keys must be unique'],
    ['an anchor', 'a: &x 1\n', 'redaction.yaml:1:7: anchors and tags are not used here'],
    ['an alias', 'a: *x\n', 'redaction.yaml:1:4: '],
    ['a tag', 'a: !!str 1\n', 'redaction.yaml:1:'],
    ['a tag of its own', 'a: !secret 1\n', 'redaction.yaml:1:'],
    ['an unquoted star', '*: {results: {show: preview}}\n', 'redaction.yaml:1:'],
    ['a key that is no text', '1: 2\n', 'redaction.yaml:1:1: a key is not a plain string'],
    ['a key that is a list', '? [a]\n: 2\n', 'redaction.yaml:1:'],
    ['what JSON cannot hold', 'a: .inf\n', 'redaction.yaml:1:4: not a value of JSON'],
    ['two documents', 'a: 1\n---\nb: 2\n', 'redaction.yaml:'],
    ['what is no YAML', 'a: [1\n', 'redaction.yaml:'],
    ['nesting without bound', '['.repeat(20_000), 'redaction.yaml:1:'],
  ])('refuses %s', (_, text, problem) => {
    expect(String(read(text))).toContain(problem);
  });

  it('repeats nothing of the file in a problem: somebody may have put a secret there', () => {
    expect(String(read('a: "hunter2\n'))).not.toContain('hunter2');
  });
});
