import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProof, mintRoot } from '../artifact/index.ts';
import { isDenial } from '../denial/index.ts';
import { SigningKey } from '../key/index.ts';
import { makeFolder, type Ran, writ } from './run.test-support.ts';

const NOW = 1_800_000_000;
const ISS = 'https://issuer.example';
const AUDIENCE = 'spiffe://local/gateway/fs';
const TOOL = 'mcp://fs/tools/read_text_file';
const ARGS = { path: 'notes.txt' };
const issuer = SigningKey.fromSeed(Buffer.alloc(32, 1));
const holder = SigningKey.fromSeed(Buffer.alloc(32, 2));

let folder = '';
let remove = () => {};

beforeAll(() => {
  ({ folder, remove } = makeFolder());
  file('anchors.json', JSON.stringify([{ iss: ISS, jwk: issuer.publicKey.jwk }]));
  file('call.json', JSON.stringify(presentation({ audiences: [AUDIENCE] })));
});
afterAll(() => remove());

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return name;
}

function presentation(
  options: { audiences?: string[]; proofAudience?: string; args?: { path: string } } = {},
) {
  const token = mintRoot({
    issuer: { iss: ISS, signer: issuer },
    holder: holder.publicKey,
    tools: { [TOOL]: { path: { constraint_type: 'exact', value: 'notes.txt' } } },
    iatSeconds: NOW - 60,
    expSeconds: NOW + 3600,
    ...(options.audiences ? { audiences: options.audiences } : {}),
  });
  if (isDenial(token)) throw new TypeError(token.detail);
  const proof = createProof({
    leaf: token,
    signer: holder,
    tool: TOOL,
    args: options.args ?? ARGS,
    iatSeconds: NOW,
    ...(options.proofAudience ? { audience: options.proofAudience } : {}),
  });
  return { aat_chain: [token], aat_pop: proof };
}

interface Overrides {
  readonly call?: string;
  readonly anchors?: string;
  readonly audience?: string;
  readonly tool?: string;
  readonly args?: string;
  readonly now?: string;
  readonly more?: readonly string[];
}

function verify(overrides: Overrides = {}): Promise<Ran> {
  const { call = 'call.json', anchors = 'anchors.json', audience = AUDIENCE, tool = TOOL } = overrides;
  const { args = JSON.stringify(ARGS), now = String(NOW), more = [] } = overrides;
  return writ(
    { cwd: folder },
    ...['artifact', 'verify', call, '--anchors', anchors, '--audience', audience, '--tool', tool],
    ...['--args', args, '--now', now, '--json', ...more],
  );
}

async function expectDenied(overrides: Overrides, code: string): Promise<void> {
  const ran = await verify(overrides);
  expect(ran.json, JSON.stringify(overrides).slice(0, 200)).toEqual({
    verdict: 'deny',
    code,
    detail: expect.any(String),
  });
  expect(ran).toMatchObject({ code: 1, err: '' });
}

describe('writ artifact verify', () => {
  it('permits a presentation that verifies, needing no trust domain', async () => {
    const ran = await verify();
    expect(ran.out).toBe('{"verdict":"permit","code":null,"detail":null}\n');
    expect(ran).toMatchObject({ code: 0, err: '' });
  });

  it('is as strict about the call as about the presentation', async () => {
    await expectDenied({ tool: 'mcp://fs/tools/write_file' }, 'identity.proof_invalid');
    await expectDenied({ args: '{"path":"other.txt"}' }, 'identity.proof_invalid');
    await expectDenied({ audience: 'spiffe://local/gateway/other' }, 'artifact.audience_mismatch');
    await expectDenied({ now: String(NOW + 60) }, 'identity.proof_stale');
    await expectDenied({ now: String(NOW + 3600) }, 'artifact.expired');
    await expectDenied({ now: String(NOW - 3600) }, 'artifact.not_yet_valid');
    await expectDenied({ tool: '' }, 'request.malformed');
    await expectDenied({ tool: 'x'.repeat(2000) }, 'request.too_large');
    file('beyond.json', JSON.stringify(presentation({ audiences: [AUDIENCE], args: { path: 'other.txt' } })));
    await expectDenied({ call: 'beyond.json', args: '{"path":"other.txt"}' }, 'scope.arguments_not_granted');
  });

  it('reads arguments strictly, as text', async () => {
    for (const args of [
      '{"path":"notes.txt","path":"notes.txt"}',
      '{"path":"notes.txt","n":1e400}',
      '{"n":9007199254740993}',
      '{"__proto__":{}}',
      '["notes.txt"]',
      'null',
      '{"path":"notes.txt"',
      '',
      '{"path":"\\ud800"}',
      `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`,
    ]) {
      await expectDenied({ args }, 'request.malformed');
    }
  });

  it('leaves the audience optional, unless it is required', async () => {
    file('open.json', JSON.stringify(presentation()));
    expect((await verify({ call: 'open.json' })).json.verdict).toBe('permit');
    await expectDenied({ call: 'open.json', more: ['--require-audience'] }, 'artifact.audience_mismatch');
    expect((await verify({ more: ['--require-audience'] })).json.verdict).toBe('permit');
  });

  it('holds a proof to the audience it names', async () => {
    file('meant.json', JSON.stringify(presentation({ proofAudience: AUDIENCE })));
    expect((await verify({ call: 'meant.json' })).json.verdict).toBe('permit');
    await expectDenied({ call: 'meant.json', audience: 'https://other.example' }, 'identity.proof_invalid');
  });

  it('denies with a code whatever the files are', async () => {
    const { aat_chain, aat_pop } = presentation({ audiences: [AUDIENCE] });
    file('empty.json', '');
    file('garbage.json', '{"aat_chain":');
    file('binary.json', Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 37) % 256)));
    file('deep.json', '['.repeat(200_000));
    file('huge.json', Buffer.alloc(9 * 1024 * 1024, 0x20));
    file('twice.json', `{"aat_chain":[],"aat_chain":${JSON.stringify(aat_chain)},"aat_pop":"${aat_pop}"}`);
    file('nothing.json', '{}');
    file('hollow.json', '{"aat_chain":[],"aat_pop":""}');
    file('numbers.json', '{"aat_chain":[1],"aat_pop":""}');
    file('unproven.json', JSON.stringify({ aat_chain }));
    file('text.json', '"call"');
    execFileSync('mkfifo', [join(folder, 'pipe.json')]);
    for (const call of ['empty', 'garbage', 'binary', 'deep', 'twice', 'pipe', 'absent']) {
      await expectDenied({ call: `${call}.json` }, 'request.malformed');
    }
    await expectDenied({ call: '.' }, 'request.malformed');
    await expectDenied({ call: '/dev/zero' }, 'request.malformed');
    await expectDenied({ call: 'huge.json' }, 'request.too_large');
    await expectDenied({ call: 'nothing.json' }, 'artifact.missing');
    await expectDenied({ call: 'hollow.json' }, 'artifact.missing');
    await expectDenied({ call: 'numbers.json' }, 'artifact.malformed');
    await expectDenied({ call: 'text.json' }, 'artifact.malformed');
    await expectDenied({ call: 'unproven.json' }, 'identity.proof_missing');
    for (const anchors of ['absent.json', 'garbage.json', 'nothing.json', 'deep.json', 'numbers.json']) {
      await expectDenied({ anchors }, 'request.malformed');
    }
    file('none.json', '[]');
    await expectDenied({ anchors: 'none.json' }, 'artifact.untrusted_issuer');
  });

  it('never repeats an argument value', async () => {
    const secret = 'hunter2-hunter2';
    const ran = await verify({ args: JSON.stringify({ path: secret, [`${secret}!`]: 1, password: secret }) });
    expect(ran.json.verdict).toBe('deny');
    expect(ran.out).not.toContain(`"${secret}"`);
  });

  it('is wrong usage without a required option, or with a time that is none', async () => {
    for (const argv of [
      ['artifact', 'verify', 'call.json', '--json'],
      ['artifact', 'verify', '--json'],
    ]) {
      const ran = await writ({ cwd: folder }, ...argv);
      expect(ran.code).toBe(2);
      expect(ran.json.error).toMatchObject({ code: 'usage' });
    }
    for (const now of ['soon', '', 'Infinity', 'NaN']) expect((await verify({ now })).code, now).toBe(2);
  });

  it('speaks to people too', async () => {
    const argv = ['artifact', 'verify', 'call.json', '--anchors', 'anchors.json', '--tool', TOOL];
    const ran = await writ(
      { cwd: folder },
      ...argv,
      ...['--audience', AUDIENCE, '--args', '{}', '--now', String(NOW)],
    );
    expect(ran.code).toBe(1);
    expect(ran.out).toMatch(/^deny identity\.proof_invalid /);
  });
});
