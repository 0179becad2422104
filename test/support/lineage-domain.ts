import { deriveToken } from '../../src/artifact/index.ts';
import { enrollAgent, type OpenedGovernor } from '../../src/governor/index.ts';
import { SigningKey } from '../../src/key/index.ts';
import { must, nowSeconds, READ, TestDomain, WRITE } from './trust-domain.ts';

/** A lineage across two logs: plan → draft → { publish, leak (denied) }, a sibling of draft, and a root of its own. */
export interface LineageDomain {
  readonly domain: TestDomain;
  readonly ids: Readonly<Record<'plan' | 'draft' | 'publish' | 'leak' | 'aside' | 'alone', string>>;
  /** `jti`s of the root token and of the one derived from it. */
  readonly tokens: { readonly root: string; readonly derived: string };
  readonly rootChain: readonly string[];
  readonly derivedChain: readonly string[];
  readonly governors: { readonly fs: OpenedGovernor; readonly db: OpenedGovernor };
  close(): Promise<void>;
}

export async function createLineageDomain(): Promise<LineageDomain> {
  const domain = await TestDomain.create(
    '@id("all") permit (principal, action, resource) unless { context.input.path == "/secret-plans" };',
  );
  const writer = SigningKey.generate();
  const subject = domain.home.agent('writer');
  must(
    await enrollAgent(domain.home, {
      subject,
      key: writer.publicKey,
      actor: 'test',
      atSeconds: nowSeconds(),
    }),
  );
  const fs = await domain.open();
  const db = await domain.open({ name: 'db' });
  const root = domain.issue({
    audiences: [domain.home.audience('fs'), domain.home.audience('db')],
    writ: {
      initiator: { id: 'spiffe://test.local/user/ada', kind: 'human' },
      governance: { purpose: 'weekly <report> & "summary"' },
    },
  });
  const rootChain = [root];
  const derivedChain = [
    root,
    must(
      deriveToken({
        parent: rootChain,
        signer: domain.agent,
        holder: writer.publicKey,
        tools: { [READ]: {}, [WRITE]: {} },
        expSeconds: nowSeconds() + 1800,
        iatSeconds: nowSeconds() - 1,
        maxDepth: 3,
      }),
    ),
  ];
  const run = async (
    { governor, audience }: OpenedGovernor,
    chain: readonly string[],
    options: Partial<Parameters<TestDomain['call']>[1]>,
    status: 'succeeded' | 'failed' = 'succeeded',
  ): Promise<string> => {
    const signer = chain === derivedChain ? writer : domain.agent;
    const outcome = await governor.run(domain.call(chain, { audience, signer, ...options }), async () => ({
      status,
      value: undefined,
      evidence: Buffer.from('SECRET-RESULT'),
    }));
    await governor.settle();
    return outcome.executionId;
  };
  const secret = { path: '/a', content: 'SECRET-ARGUMENT' };
  const plan = await run(fs, rootChain, { tool: READ });
  const draft = await run(fs, derivedChain, { parent: plan, args: secret });
  // Another log believes it once a checkpoint covers it.
  await fs.governor.settle();
  const publish = await run(db, derivedChain, { parent: draft, args: secret }, 'failed');
  const leak = await run(db, derivedChain, { parent: draft, args: { path: '/secret-plans' } });
  const aside = await run(fs, rootChain, { parent: plan, tool: READ });
  const alone = await run(db, rootChain, { tool: READ });
  return {
    domain,
    ids: { plan, draft, publish, leak, aside, alone },
    tokens: { root: jtiOf(root), derived: jtiOf(derivedChain[1] ?? '') },
    rootChain,
    derivedChain,
    governors: { fs, db },
    async close() {
      await fs.close();
      await db.close();
      domain.dispose();
    },
  };
}

function jtiOf(token: string): string {
  const [, payload = ''] = token.split('.');
  return (JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { jti: string }).jti;
}
