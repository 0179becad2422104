import { describe, expect, it } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { SigningKey } from '../key/index.ts';
import {
  COSIGNATURE_V1,
  checkQuorum,
  formatVkey,
  type NoteVerifier,
  noteVerifier,
  parseWitnessPolicy,
  type WitnessPolicy,
} from './index.ts';

const keyOf = (seed: number) => SigningKey.fromSeed(new Uint8Array(32).fill(seed)).publicKey;
const witnessKey = (seed: number) => noteVerifier(`w${seed}.example`, keyOf(seed), COSIGNATURE_V1);
const vkey = (seed: number, name = `w${seed}.example`) => formatVkey(name, keyOf(seed), COSIGNATURE_V1);
const LOG = formatVkey('log.example', keyOf(99));

function parsed(text: string): WitnessPolicy {
  const policy = parseWitnessPolicy(text);
  if (isDenial(policy)) throw new Error(policy.detail);
  return policy;
}

const signed = (...verifiers: readonly NoteVerifier[]) =>
  verifiers.map(({ name, keyId }) => ({ name, keyId, timestampSeconds: 1_700_000_000 }));

/** The example of C2SP tlog-policy, with keys. */
const EXAMPLE = `log ${LOG}

witness X1 ${vkey(1)}
witness X2 ${vkey(2)} https://witness.example/x2/
\twitness  X3\t${vkey(3)} http://127.0.0.1:8080
group X-witnesses 2 X1 X2 X3

  # two organisations
witness Y1 ${vkey(4)}
witness Y2 ${vkey(5)}
group Y-witnesses any Y1 Y2

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
`;

describe('a witness policy', () => {
  it('of the specification parses', () => {
    const policy = parsed(EXAMPLE);
    expect(policy.logs.map(({ name }) => name)).toEqual(['log.example']);
    expect(policy.witnesses.map(({ name, url }) => [name, url])).toEqual([
      ['X1', undefined],
      ['X2', 'https://witness.example/x2/'],
      ['X3', 'http://127.0.0.1:8080'],
      ['Y1', undefined],
      ['Y2', undefined],
    ]);
    expect(policy.groups.get('X-witnesses')).toEqual({ threshold: 2, members: ['X1', 'X2', 'X3'] });
    expect(policy.groups.get('X-and-Y')?.threshold).toBe(2);
    expect(policy.quorum).toBe('X-and-Y');
    expect(parseWitnessPolicy(Buffer.from(EXAMPLE))).toMatchObject({
      groups: policy.groups,
      quorum: 'X-and-Y',
    });
  });

  it('is met by a quorum, and by nothing else', () => {
    const policy = parsed(EXAMPLE);
    const met = (...seeds: number[]) => checkQuorum(policy, signed(...seeds.map(witnessKey))).met;
    for (let mask = 0; mask < 32; mask += 1) {
      const seeds = [1, 2, 3, 4, 5].filter((_, bit) => mask & (1 << bit));
      const x = seeds.filter((seed) => seed <= 3).length;
      expect(met(...seeds), seeds.join()).toBe(x >= 2 && seeds.length > x);
    }
    expect(checkQuorum(policy, signed(witnessKey(1), witnessKey(4)))).toEqual({
      met: false,
      missing: 'X-and-Y (has 1 of 2; missing: X-witnesses (has 1 of 2; missing: X2, X3))',
    });
  });

  it('counts one witness once, and no key that only shares its name or its id', () => {
    const policy = parsed(`witness a ${vkey(1)}\nwitness b ${vkey(2)}\ngroup g all a b\nquorum g\n`);
    const [one, two] = [witnessKey(1), witnessKey(2)];
    expect(checkQuorum(policy, signed(one, two)).met).toBe(true);
    expect(checkQuorum(policy, signed(one, one)).met).toBe(false);
    expect(checkQuorum(policy, signed(one, { ...two, keyId: two.keyId ^ 1 })).met).toBe(false);
    expect(checkQuorum(policy, signed(one, { ...two, name: 'other.example' })).met).toBe(false);
    const logKind = noteVerifier('w2.example', keyOf(2));
    expect(checkQuorum(policy, signed(one, logKind)).met).toBe(false);
  });

  it('is not met by a cosignature that states no time', () => {
    const policy = parsed(`witness a ${vkey(1)}\nquorum a\n`);
    const [signature] = signed(witnessKey(1));
    if (signature === undefined) throw new Error('no signature');
    expect(checkQuorum(policy, [signature]).met).toBe(true);
    expect(checkQuorum(policy, [{ ...signature, timestampSeconds: 0 }]).met).toBe(false);
    expect(checkQuorum(policy, [{ name: signature.name, keyId: signature.keyId }]).met).toBe(false);
    expect(checkQuorum(policy, [])).toEqual({ met: false, missing: 'a' });
  });

  it('of quorum none asks for nothing', () => {
    expect(checkQuorum(parsed(`witness a ${vkey(1)}\nquorum none\n`), [])).toEqual({ met: true });
  });

  const W = `witness a ${vkey(1)}\n`;
  it.each([
    ['nothing', '', 'does not end in newline'],
    ['only comments', '# nothing\n', 'no quorum'],
    ['no quorum', W, 'no quorum'],
    ['a last line that may be cut', `${W}quorum a`, 'line 2: it does not end in newline'],
    ['two quorums', `${W}quorum a\nquorum none\n`, 'line 3: it is a second quorum'],
    ['a quorum of two names', `${W}quorum a a\n`, 'line 2'],
    ['an undefined quorum', `${W}quorum b\n`, 'not defined on a line before'],
    ['a quorum before its witness', `quorum a\n${W}`, 'not defined on a line before'],
    ['an unknown keyword', `${W}require a\nquorum a\n`, 'neither log, witness'],
    ['a keyword in capitals', `${W}Quorum a\n`, 'neither log, witness'],
    ['a comment behind a line', `${W}quorum a # the one\n`, 'line 2'],
    ['a carriage return', `${W}quorum a\r\n`, 'control character'],
    ['a NUL', `${W}quorum a\u0000\n`, 'control character'],
    ['a DEL', `${W}quorum a\u007f\n`, 'control character'],
    ['a no-break space for a space', `${W}quorum\u00a0a\n`, 'neither log, witness'],
    ['one name twice', `${W}witness a ${vkey(2)}\nquorum a\n`, 'already defined'],
    ['a witness called none', `witness none ${vkey(1)}\nquorum none\n`, 'reserved'],
    ['a group called none', `${W}group none any a\nquorum none\n`, 'reserved'],
    ['none as a member', `${W}group g any none\nquorum g\n`, 'a member is not defined'],
    ['one key under two names', `${W}witness b ${vkey(1, 'b.example')}\nquorum a\n`, 'already listed'],
    ['a log key for a witness', `witness a ${formatVkey('w', keyOf(1))}\nquorum a\n`, 'not a cosigner'],
    ['a cosigner key for a log', `log ${vkey(1)}\nquorum none\n`, 'not a log key'],
    ['one log twice', `log ${LOG}\nlog ${LOG}\nquorum none\n`, 'already listed'],
    ['a vkey that is none', `witness a ${vkey(1).replace('+', '-')}\nquorum a\n`, 'vkey'],
    ['a witness without a key', 'witness a\nquorum a\n', 'line 1'],
    ['a witness with more', `witness a ${vkey(1)} http://a b\nquorum a\n`, 'line 1'],
    ['a URL of another scheme', `witness a ${vkey(1)} file:///etc/passwd\nquorum a\n`, 'URL'],
    ['a URL with a password', `witness a ${vkey(1)} https://u:p@a.example\nquorum a\n`, 'URL'],
    ['a URL with a query', `witness a ${vkey(1)} https://a.example/?q\nquorum a\n`, 'URL'],
    ['an empty group', `${W}group g any\nquorum g\n`, 'line 2'],
    ['a group of itself', `${W}group g any g\nquorum g\n`, 'a member is not defined'],
    ['a threshold of 0', `${W}group g 0 a\nquorum g\n`, 'threshold'],
    ['a threshold of 01', `${W}group g 01 a\nquorum g\n`, 'threshold'],
    ['a threshold over its members', `${W}group g 2 a\nquorum g\n`, 'threshold'],
    ['a negative threshold', `${W}group g -1 a\nquorum g\n`, 'threshold'],
    ['a member twice', `${W}group g 2 a a\nquorum g\n`, 'already a member'],
    ['a member of two groups', `${W}group g any a\ngroup h any a\nquorum g\n`, 'already a member'],
    ['a long name', `witness ${'a'.repeat(257)} ${vkey(1)}\nquorum none\n`, 'name is too long'],
  ])('with %s is denied', (_, text, detail) => {
    const policy = parseWitnessPolicy(text);
    expect(isDenial(policy) && policy.code).toBe('request.malformed');
    expect(isDenial(policy) && policy.detail).toContain(detail);
  });

  it('is bounded', () => {
    const witnesses = (count: number) =>
      Array.from({ length: count }, (_, at) => `witness w${at} ${vkey(at + 1)}\n`).join('');
    expect(parsed(`${witnesses(32)}quorum none\n`).witnesses).toHaveLength(32);
    expect(isDenial(parseWitnessPolicy(`${witnesses(33)}quorum none\n`))).toBe(true);
    const long = parseWitnessPolicy(`${'#\n'.repeat(70_000)}quorum none\n`);
    expect(isDenial(long) && long.code).toBe('request.too_large');
    const bytes = Buffer.concat([Buffer.from('# \xff', 'latin1'), Buffer.from('\nquorum none\n')]);
    expect(isDenial(parseWitnessPolicy(bytes))).toBe(true);
  });
});
