import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../codec/index.ts';
import { SigningKey } from '../key/index.ts';
import { toolManifest } from './policy-folder.ts';
import { makeFolder, type Ran, writ } from './run.test-support.ts';

const READ = 'mcp://fs/tools/read_text_file';
const WRITE = 'mcp://fs/tools/write_file';
const ESCAPE = '\u001b';

let folder = '';
let remove = () => {};

const run = (...argv: string[]): Promise<Ran> => writ({ cwd: folder }, ...argv);

async function json(...argv: string[]): Promise<JsonObject> {
  const ran = await run(...argv, '--json');
  expect(ran, `${argv.join(' ')}: ${ran.out}${ran.err}`).toMatchObject({ code: 0, err: '' });
  return ran.json;
}

async function error(...argv: string[]): Promise<{ code: number; error: JsonObject }> {
  const ran = await run(...argv, '--json');
  expect(ran.out + ran.err).not.toMatch(/\n\s+at |node:internal/);
  return { code: ran.code, error: ran.json.error as JsonObject };
}

beforeAll(async () => {
  ({ folder, remove } = makeFolder());
  await json('init', '--name', 'test.example');
  const definition = (name: string, readOnlyHint: boolean) => ({
    name,
    inputSchema: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] },
    annotations: { readOnlyHint, destructiveHint: false },
  });
  mkdirSync(join(folder, '.writ/policy/tools'));
  writeFileSync(
    join(folder, '.writ/policy/tools/fs.json'),
    toolManifest('fs', [
      { server: 'fs', id: READ, definition: definition('read_text_file', true) },
      { server: 'fs', id: WRITE, definition: definition('write_file', false) },
    ]),
  );
  await json('policy', 'publish');
});
afterAll(() => remove());

describe('writ key new', () => {
  it('writes a private key file once, and prints only the public half', async () => {
    const made = await json('key', 'new', 'a.pem');
    expect(made).toMatchObject({ jwk: { kty: 'OKP', crv: 'Ed25519' }, encrypted: false });
    expect(statSync(join(folder, 'a.pem')).mode & 0o777).toBe(0o600);
    const pem = readFileSync(join(folder, 'a.pem'), 'utf8');
    const again = await error('key', 'new', 'a.pem');
    expect(again).toMatchObject({ code: 1, error: { code: 'file.unwritable' } });
    expect(readFileSync(join(folder, 'a.pem'), 'utf8')).toBe(pem);
  });

  it('takes a passphrase from a file, never from the command line', async () => {
    writeFileSync(join(folder, 'pass'), 'correct horse\n');
    expect(await json('key', 'new', 'b.pem', '--passphrase-file', 'pass')).toMatchObject({ encrypted: true });
    const pem = readFileSync(join(folder, 'b.pem'), 'utf8');
    expect(pem).toContain('ENCRYPTED');
    expect(SigningKey.fromPem(pem, 'request.malformed', 'correct horse')).toBeInstanceOf(SigningKey);
    expect((await error('key', 'new', 'c.pem', '--passphrase')).error.hint).toContain('--passphrase-file');
    expect((await error('key', 'new', 'c.pem', '--passphrase-file', 'absent')).code).toBe(2);
    expect((await error('key', 'new', 'c.pem', '--passphrase', 'secret')).code).toBe(2);
    expect(existsSync(join(folder, 'c.pem'))).toBe(false);
  });
});

describe('writ agent enroll', () => {
  it('enrolls a name with a new key, once', async () => {
    const subject = 'spiffe://test.example/agent/builder';
    expect(await json('agent', 'enroll', 'builder', '--new')).toMatchObject({ subject, changed: true });
    expect(await json('agent', 'enroll', 'builder', '--new')).toMatchObject({ subject, changed: false });
    expect(await json('agent', 'enroll', 'builder')).toMatchObject({ subject, changed: false });
  });

  it('enrolls a URI with a public key, and refuses a private one', async () => {
    const { jwk } = SigningKey.generate().publicKey;
    writeFileSync(join(folder, 'agent.jwk'), JSON.stringify(jwk));
    const uri = 'spiffe://partner.example/agent/7';
    expect(await json('agent', 'enroll', uri, '--jwk', 'agent.jwk')).toMatchObject({ subject: uri, jwk });
    writeFileSync(join(folder, 'private.jwk'), JSON.stringify({ ...jwk, d: jwk.x }));
    const refused = await error('agent', 'enroll', 'other', '--jwk', 'private.jwk');
    expect(refused).toMatchObject({ code: 2, error: { code: 'usage' } });
    expect(JSON.stringify(refused)).not.toContain(jwk.x);
  });

  it('takes a key file, also an encrypted one, and no key twice', async () => {
    await json('key', 'new', 'd.pem', '--passphrase-file', 'pass');
    expect((await error('agent', 'enroll', 'delta', '--key', 'd.pem')).error.message).toContain('encrypted');
    await json('agent', 'enroll', 'delta', '--key', 'd.pem', '--passphrase-file', 'pass');
    const taken = await error('agent', 'enroll', 'echo', '--key', 'd.pem', '--passphrase-file', 'pass');
    expect(taken).toMatchObject({ code: 1, error: { code: 'exists' } });
  });

  it('says what is missing', async () => {
    expect((await error('agent', 'enroll', 'nobody')).error.hint).toContain('--new');
    expect((await error('agent', 'enroll', '../x', '--new')).code).toBe(2);
    expect((await error('agent', 'enroll', 'x', '--new', '--jwk', 'agent.jwk')).code).toBe(2);
    expect((await error('agent', 'enroll', 'x', '--jwk', '/dev/zero')).code).toBe(2);
  });
});

describe('writ artifact', () => {
  it('issues what it says, for a while, to the gateway of the tool', async () => {
    const issued = await json('artifact', 'issue', '--agent', 'builder', '--tool', READ, '--ttl', '1h');
    expect(issued).toMatchObject({
      name: 'builder-fs',
      audiences: ['spiffe://test.example/gateway/fs'],
      tools: { [READ]: { path: { constraint_type: 'wildcard' } } },
    });
    const { standing, tokens } = await json('artifact', 'inspect', 'builder-fs');
    expect(standing).toEqual({ verdict: 'valid' });
    expect(tokens).toMatchObject([
      {
        jti: issued.jti,
        agent: 'spiffe://test.example/agent/builder',
        depth: 0,
        maxDepth: 0,
        writ: { initiator: { id: 'spiffe://test.example/user/tester', kind: 'human' } },
      },
    ]);
  });

  it('puts every restriction into the artifact', async () => {
    writeFileSync(
      join(folder, 'tools.json'),
      JSON.stringify({
        [READ]: { path: { constraint_type: 'path_containment', root: '/work' } },
        [WRITE]: { path: { constraint_type: 'path_containment', root: '/work/out' } },
      }),
    );
    const digest = `sha256:${'a'.repeat(64)}`;
    await json(
      ...[
        'artifact',
        'issue',
        '--agent',
        'builder',
        '--tools',
        'tools.json',
        '--audience',
        'fs',
        '--ttl',
        '2d',
      ],
      ...['--max-depth', '2', '--max-uses', '5', '--budget', 'amount=10.5', '--purpose', 'issue 12'],
      ...[
        '--reference',
        'T-12',
        '--window',
        'mon-fri 09:00-17:00 Europe/Berlin',
        '--window',
        'sat,sun 10:00-12:00 UTC',
      ],
      ...[
        '--policy',
        `test.example@${digest}`,
        '--environment',
        digest,
        '--environment',
        `node/v24=${digest}`,
      ],
      ...['--environment', 'assurance=tpm', '--environment', 'maxAge=5m', '--out', 'full'],
    );
    const { tokens } = await json('artifact', 'inspect', 'full');
    expect(tokens).toMatchObject([
      {
        maxDepth: 2,
        audiences: ['spiffe://test.example/gateway/fs'],
        writ: {
          use: {
            maxUses: 5,
            budgets: [{ argument: 'amount', total: 10.5 }],
            windows: [
              { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '09:00', to: '17:00', tz: 'Europe/Berlin' },
              { days: ['sat', 'sun'], from: '10:00', to: '12:00', tz: 'UTC' },
            ],
          },
          governance: { policy: { id: 'test.example', digest }, purpose: 'issue 12', reference: 'T-12' },
          environment: {
            digests: [digest],
            components: [{ kind: 'node', name: 'v24', digest }],
            assurance: 'tpm',
            maxAgeSeconds: 300,
          },
        },
      },
    ]);
    const shown = await run('artifact', 'inspect', 'full');
    expect(shown.out).toContain('path: path_containment {"root":"/work"}');
    expect(shown.out).toContain('valid here and now');
  });

  it('does not replace, guess or widen without being told', async () => {
    const issue = ['artifact', 'issue', '--agent', 'builder'];
    expect(await error(...issue, '--tool', READ)).toMatchObject({ code: 1, error: { code: 'exists' } });
    expect((await error(...issue, '--tool', 'mcp://fs/tools/nope')).error.hint).toContain('--any-arguments');
    expect((await error(...issue)).error.hint).toContain('--tool');
    expect((await error('artifact', 'issue', '--agent', 'nobody', '--tool', READ)).error.code).toBe(
      'not_found',
    );
    for (const wrong of [
      ['--ttl', 'long'],
      ['--max-uses', '0'],
      ['--max-depth', '-1'],
      ['--budget', 'amount'],
      ['--window', 'always'],
      ['--window', 'mon 25:00-26:00 UTC'],
      ['--environment', 'production'],
      ['--policy', 'id@sha256:nope'],
      ['--audience', 'no uri'],
      ['--initiator', 'me'],
      ['--out', '../escape'],
      ['--writ', 'absent.json'],
    ]) {
      const refused = await error(
        ...issue,
        '--tool',
        READ,
        ...wrong,
        ...(wrong[0] === '--out' ? [] : ['--out', 'x']),
      );
      expect(refused, wrong.join(' ')).toMatchObject({ code: 2, error: { code: 'usage' } });
    }
    expect(await error(...issue, '--tool', READ, '--ttl', '91d', '--out', 'x')).toMatchObject({
      code: 1,
      error: { code: 'artifact.malformed' },
    });
    expect(existsSync(join(folder, '.writ/artifacts/x.json'))).toBe(false);
    expect(existsSync(join(folder, 'escape.json'))).toBe(false);
  });

  it('extends a stored artifact', async () => {
    const issue = ['artifact', 'issue', '--agent', 'builder', '--extend', 'builder-fs', '--tool', WRITE];
    const { tools } = await json(...issue, '--purpose', 'release', '--replace');
    expect(Object.keys(tools as JsonObject).sort()).toEqual([READ, WRITE]);
  });

  it('derives what is narrower, offline, and nothing wider', async () => {
    await json('agent', 'enroll', 'reviewer', '--new');
    await json(
      'artifact',
      'issue',
      '--agent',
      'builder',
      '--tools',
      'tools.json',
      '--max-depth',
      '1',
      '--out',
      'wide',
    );
    const derive = ['artifact', 'derive', '--from', 'wide', '--holder', 'reviewer'];
    const derived = await json(
      ...derive,
      '--tool',
      READ,
      '--ttl',
      '10m',
      '--max-uses',
      '3',
      '--out',
      'narrow',
    );
    expect(Object.keys(derived.tools as JsonObject)).toEqual([READ]);
    const { standing, tokens } = await json('artifact', 'inspect', 'narrow');
    expect(standing).toEqual({ verdict: 'valid' });
    expect(tokens).toMatchObject([{ depth: 0 }, { depth: 1, writ: { use: { maxUses: 3 } } }]);

    writeFileSync(
      join(folder, 'wider.json'),
      JSON.stringify({ [READ]: { path: { constraint_type: 'wildcard' } } }),
    );
    for (const wider of [
      ['--tools', 'wider.json'],
      ['--tool', 'mcp://fs/tools/other'],
      ['--max-depth', '5'],
    ]) {
      const refused = await error(...derive, ...wider, '--out', 'wider');
      expect(refused, wider.join(' ')).toMatchObject({
        code: 1,
        error: { code: 'artifact.attenuation_invalid' },
      });
    }
    expect(existsSync(join(folder, '.writ/artifacts/wider.json'))).toBe(false);
    // Nothing lies below a leaf that may not be handed on.
    const deeper = await error(
      'artifact',
      'derive',
      '--from',
      'narrow',
      '--holder',
      'builder',
      '--out',
      'deeper',
    );
    expect(deeper.error.code).toMatch(/^artifact\./);
  });

  it('needs the holder key to derive', async () => {
    await json('artifact', 'issue', '--agent', 'delta', '--tool', READ, '--max-depth', '1', '--out', 'far');
    const derive = ['artifact', 'derive', '--from', 'far', '--holder', 'reviewer', '--out', 'far2'];
    expect((await error(...derive)).error).toMatchObject({ code: 'not_found' });
    expect((await error(...derive, '--key', 'a.pem')).code).toBe(2);
    await json(...derive, '--key', 'd.pem', '--passphrase-file', 'pass');
  });

  it('revokes by every handle, once, and shows it', async () => {
    await json('artifact', 'issue', '--agent', 'builder', '--tool', READ, '--out', 'doomed');
    const revoke = ['artifact', 'revoke', '--reason', 'test'];
    expect(await json(...revoke, '--artifact', 'doomed')).toMatchObject({ handle: 'token', changed: true });
    expect(await json(...revoke, '--artifact', 'doomed')).toMatchObject({ changed: false });
    const { standing } = await json('artifact', 'inspect', 'doomed');
    expect(standing).toMatchObject({ verdict: 'invalid', code: 'revocation.revoked' });
    expect(await json('artifact', 'inspect', 'builder-fs')).toMatchObject({ standing: { verdict: 'valid' } });
    const digest = `sha256:${'b'.repeat(64)}`;
    for (const [handle, value] of [
      ['token', 'some-jti'],
      ['holder', 'reviewer'],
      ['subject', 'spiffe://test.example/agent/reviewer'],
      ['issuer', 'https://other.example'],
      ['policy', digest],
      ['environment', digest],
    ] as const) {
      expect(await json(...revoke, `--${handle}`, value)).toMatchObject({ handle, changed: true });
    }
    const { standing: cascaded } = await json('artifact', 'inspect', 'narrow');
    expect(cascaded).toMatchObject({ verdict: 'invalid', code: 'revocation.revoked' });
  });

  it('refuses a revocation that would mean nothing', async () => {
    const revoke = ['artifact', 'revoke', '--reason', 'test'];
    for (const wrong of [
      [],
      ['--token', 'a', '--subject', 'spiffe://x/y'],
      ['--subject', 'not a uri'],
      ['--policy', 'sha256:short'],
      ['--environment', 'production'],
      ['--issuer', 'nobody'],
    ]) {
      expect(await error(...revoke, ...wrong), wrong.join(' ')).toMatchObject({ code: 2 });
    }
    expect((await error(...revoke, '--holder', 'nobody')).error.code).toBe('not_found');
    expect((await error(...revoke, '--artifact', 'absent')).error.code).toBe('not_found');
    expect((await error('artifact', 'revoke', '--token', 'a')).code).toBe(2);
    expect((await error('artifact', 'revoke', '--token', 'a', '--reason', 'a\nb')).code).toBe(2);
  });

  it('shows hostile artifacts without obeying them', async () => {
    for (const [name, content] of [
      ['garbage.json', '{'],
      ['empty.json', '{}'],
      ['deep.json', `{"aat_chain":${'['.repeat(100_000)}`],
      ['huge.json', ' '.repeat(9 * 1024 * 1024)],
      ['many.json', JSON.stringify({ aat_chain: Array.from({ length: 10_000 }, () => 'x.y.z') })],
    ] as const) {
      writeFileSync(join(folder, name), content);
      const ran = await run('artifact', 'inspect', `./${name}`);
      expect(ran, name).toMatchObject({ code: 1, out: '' });
      expect(ran.err.length).toBeLessThan(1000);
    }
  });

  it('shows what tokens say without letting it act on the terminal', async () => {
    const purpose = `${ESCAPE}[2J\u202eharmless`;
    await json(
      'artifact',
      'issue',
      '--agent',
      'builder',
      '--tool',
      READ,
      '--purpose',
      purpose,
      '--out',
      'loud',
    );
    const shown = await run('artifact', 'inspect', 'loud');
    expect(shown.out).toContain('\\u{1b}[2J\\u{202e}harmless');
    const raw = await run('artifact', 'inspect', 'loud', '--json');
    expect(raw.json).toMatchObject({ tokens: [{ writ: { governance: { purpose } } }] });
    for (const { out } of [shown, raw]) {
      expect(out).not.toContain(ESCAPE);
      expect(out).not.toContain('\u202e');
    }
  });
});

describe('writ policy', () => {
  it('shows the active policy, with the tools in their groups', async () => {
    const shown = await json('policy', 'show');
    expect(shown).toMatchObject({
      id: 'test.example',
      tools: [
        { id: READ, group: 'read', server: 'fs' },
        { id: WRITE, group: 'write', server: 'fs' },
      ],
    });
    expect((await run('policy', 'show', '--source')).out).toContain('permit (');
  });

  it('says file, line and reason of what is wrong, and publishes nothing', async () => {
    const before = await json('policy', 'show');
    mkdirSync(join(folder, 'bad'));
    writeFileSync(
      join(folder, 'bad/one.cedar'),
      'permit (principal, action, resource);\npermit (principal,\n',
    );
    const checked = await run('policy', 'check', 'bad');
    expect(checked.code).toBe(1);
    expect(checked.out).toMatch(/one\.cedar:\d+:\d+: /);
    const published = await run('policy', 'publish', 'bad', '--json');
    expect(published).toMatchObject({ code: 1 });
    expect(published.json).toMatchObject({ valid: false, problems: [{ path: 'one.cedar' }] });
    expect(await json('policy', 'show')).toEqual(before);
  });

  it('publishes a folder once', async () => {
    mkdirSync(join(folder, 'good'));
    writeFileSync(join(folder, 'good/all.cedar'), '@id("all") permit (principal, action, resource);\n');
    expect(await json('policy', 'check', 'good')).toMatchObject({ valid: true, policies: 1 });
    expect(await json('policy', 'publish', 'good')).toMatchObject({ changed: true });
    expect(await json('policy', 'publish', 'good')).toMatchObject({ changed: false });
    expect(await json('policy', 'publish')).toMatchObject({ changed: true });
  });

  it('refuses folders that are none, and files that are no policies', async () => {
    mkdirSync(join(folder, 'odd/tools'), { recursive: true });
    expect((await error('policy', 'check', 'absent')).code).toBe(2);
    expect((await error('policy', 'check', 'odd')).code).toBe(2);
    writeFileSync(join(folder, 'odd/a.cedar'), Buffer.from([0xff, 0xfe, 0x00]));
    expect((await error('policy', 'check', 'odd')).code).toBe(2);
    writeFileSync(join(folder, 'odd/a.cedar'), '('.repeat(100_000));
    expect((await run('policy', 'check', 'odd')).code).toBe(1);
    writeFileSync(join(folder, 'odd/a.cedar'), '@id("x") permit (principal, action, resource);');
    for (const manifest of ['{', '[]', '{"server":"fs","tools":[{}]}', '['.repeat(50_000)]) {
      writeFileSync(join(folder, 'odd/tools/fs.json'), manifest);
      expect((await error('policy', 'check', 'odd')).code, manifest.slice(0, 40)).toBe(2);
    }
  });
});

describe('writ doctor', () => {
  it('finds nothing wrong with a domain in order, and says what to do where it is not', async () => {
    const healthy = await run('doctor', '--json');
    expect(healthy.json).toMatchObject({ healthy: true });
    expect(healthy.code).toBe(0);
    const past = await writ({ cwd: folder, nowMs: Date.now() - 86_400_000 }, 'doctor', '--json');
    expect(past.json.findings).toContainEqual(expect.objectContaining({ check: 'clock', status: 'fail' }));
    expect(past.code).toBe(1);
    const later = await writ({ cwd: folder, nowMs: Date.now() + 60 * 86_400_000 }, 'doctor', '--json');
    expect(JSON.stringify(later.json)).toContain('artifact.expired');
  });
});
