import { readFileSync, rmSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { must, nowSeconds, TestDomain, testBundle, WRITE } from '../../test/support/trust-domain.ts';
import { createProof } from '../artifact/index.ts';
import { canonicalize, isJsonObject, type JsonObject, type JsonValue } from '../codec/index.ts';
import { buildPolicyBundle } from '../policy/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../storage/index.ts';
import { type OpenedGovernor, publishPolicy, readEvidenceKey, replayLog } from './index.ts';

const RULES = {
  [WRITE]: {
    arguments: { show: ['/path'], secret: ['/content'] },
    results: { show: 'preview', secret: ['/structuredContent/key'] },
  },
};
const SECRET = 'violet-marmot';

let domain: TestDomain;
let opened: OpenedGovernor;
let digest: string;

beforeEach(async () => {
  domain = await TestDomain.create();
  const { sources, tools } = testBundle();
  const bundle = buildPolicyBundle({
    id: 'default',
    policies: sources,
    tools: [...tools].map(([id, { server, definition }]) => ({ server, id, definition })),
    redaction: { path: 'redaction.yaml', rules: RULES },
  });
  if (Array.isArray(bundle)) throw new Error(JSON.stringify(bundle));
  digest = bundle.digest;
  must(await publishPolicy(domain.home, bundle, { actor: 'test', atSeconds: nowSeconds() }));
  opened = await domain.open();
});
afterEach(() => domain.dispose());

async function withLog<T>(use: (log: SqliteLogReader, key: Uint8Array) => T | Promise<T>): Promise<T> {
  const log = openSqliteLogReader(domain.home.executionLogFolder('fs'));
  try {
    return await use(log, must(readEvidenceKey(domain.home.evidenceKeyFile)));
  } finally {
    log.close();
  }
}

/** Every entry, and what was sealed of each request. */
async function closeAndRead(): Promise<{ entries: JsonObject[]; requests: (JsonObject | undefined)[] }> {
  await opened.close();
  return withLog((log, key) => {
    const entries = log
      .read(0, log.head().size)
      .map((entry) => JSON.parse(Buffer.from(entry).toString('utf8')) as JsonObject);
    const requests = entries.map(({ evidence }) => {
      const address = isJsonObject(evidence) ? evidence.request : undefined;
      const bytes = typeof address === 'string' ? log.readEvidence(address, key) : undefined;
      return bytes && (JSON.parse(Buffer.from(bytes).toString('utf8')) as JsonObject);
    });
    return { entries, requests };
  });
}

const effect = async () =>
  ({
    status: 'succeeded',
    value: 1,
    evidence: Buffer.from('…'),
    result: { content: [{ type: 'text', text: 'written' }], structuredContent: { key: SECRET, bytes: 3 } },
  }) as const;

async function replay(change: (entry: Uint8Array) => Uint8Array = (entry) => entry) {
  const governance = openSqliteLogReader(domain.home.governanceFolder);
  try {
    return await withLog((log, evidenceKey) =>
      replayLog({
        log: {
          head: () => log.head(),
          lookup: (key) => log.lookup(key),
          inclusionProof: () => [],
          consistencyProof: () => [],
          read: (start, count) => log.read(start, count).map(change),
        },
        governance,
        evidenceKey,
        readEvidence: (address) => log.readEvidence(address, evidenceKey),
      }),
    );
  } finally {
    governance.close();
  }
}

describe('redaction rules of the active policy', () => {
  it('say what receipts show, in the form of the schema', async () => {
    const chain = [domain.issue()];
    const { audience } = opened;
    await opened.governor.run(domain.call(chain, { audience, args: { path: '/a', amount: 2 } }), effect);
    const { entries } = await closeAndRead();
    expect(entries).toMatchObject([
      { verdict: 'permit', preview: { detectors: 1, shown: { '/path': '/a' } } },
      {
        status: 'succeeded',
        preview: {
          shown: { '/content/0/text': 'written', '/structuredContent/bytes': 3 },
          withheld: { '/structuredContent/key': 'secret' },
        },
      },
    ]);
    const path = new URL('../../spec/receipt.schema.json', import.meta.url);
    const schema: unknown = JSON.parse(readFileSync(path, 'utf8'));
    const validate = new Ajv2020().compile(schema as object);
    for (const entry of entries) expect(validate(entry), JSON.stringify(validate.errors)).toBe(true);
    expect(await replay()).toMatchObject({ same: 1, different: [], withheld: 0 });
    const forged = await replay((entry) => {
      const receipt = JSON.parse(Buffer.from(entry).toString('utf8')) as Record<string, JsonValue>;
      const preview = { detectors: 1, shown: { '/path': '/b' } };
      return Buffer.from(canonicalize({ ...receipt, ...(receipt.preview ? { preview } : {}) }));
    });
    expect(forged.different).toMatchObject([{ difference: 'preview is not what the decision found' }]);
  });

  it('keep the proof from being stored whose payload repeats what is secret', async () => {
    const args = { path: '/a', content: SECRET };
    await opened.governor.run(domain.call([domain.issue()], { audience: opened.audience, args }), effect);
    const { entries, requests } = await closeAndRead();
    expect(JSON.stringify(entries)).not.toContain(SECRET);
    expect(requests[0]).toEqual({
      tool: WRITE,
      args: { path: '/a', content: '[redacted]' },
      redacted: ['/content'],
    });
    expect(await replay()).toMatchObject({ same: 0, different: [], withheld: 1 });
  });

  it('hold for a proof that does not verify, too: its payload may say what the arguments do not', async () => {
    const chain = [domain.issue()];
    const { audience } = opened;
    const pop = createProof({
      leaf: chain,
      signer: domain.agent,
      tool: WRITE,
      args: { path: '/a', content: SECRET },
      audience,
      iatSeconds: nowSeconds(),
    });
    const call = domain.call(chain, { audience, args: { path: '/a' } });
    const presentation = { aat_chain: chain, aat_pop: pop };
    await opened.governor.run({ ...call, presentation }, effect);
    const { entries, requests } = await closeAndRead();
    expect(entries).toMatchObject([{ verdict: 'deny', code: 'identity.proof_invalid' }]);
    // Who does not hold the key puts no text of theirs into the log.
    expect(entries[0]?.preview).toBeUndefined();
    expect(requests).toEqual([{ tool: WRITE, args: { path: '/a' }, redacted: [] }]);
  });

  it('keep nothing of the arguments while the rules are not at hand', async () => {
    await opened.close();
    rmSync(domain.home.policyFile(digest));
    opened = await domain.open();
    const args = { path: SECRET, content: SECRET };
    await opened.governor.run(domain.call([domain.issue()], { audience: opened.audience, args }), effect);
    const { entries, requests } = await closeAndRead();
    expect(entries).toMatchObject([{ verdict: 'deny', code: 'policy.unavailable' }]);
    expect(requests).toEqual([{ tool: WRITE, redacted: [''] }]);
    expect(JSON.stringify(entries)).not.toContain(SECRET);
    expect(await replay()).toMatchObject({ different: [], withheld: 1 });
  });

  it('let a receipt fit its entry, whatever the arguments are made of', async () => {
    const path = '\u{1d11e} '.repeat(100_000);
    const purpose = 'é'.repeat(200);
    const chain = [domain.issue({ writ: { governance: { purpose } } })];
    const call = domain.call(chain, { audience: opened.audience, args: { path } });
    await opened.governor.run(call, effect);
    const { entries } = await closeAndRead();
    const [decision] = entries;
    expect(decision).toMatchObject({ verdict: 'permit', preview: { truncated: true } });
    expect(Buffer.byteLength(JSON.stringify(decision?.preview))).toBeLessThanOrEqual(2048);
    expect(await replay()).toMatchObject({ same: 1, different: [] });
  });
});
