import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProof, mintRoot, type RootGrant } from '../../src/artifact/index.ts';
import type { JsonObject } from '../../src/codec/index.ts';
import type { Action } from '../../src/decision/index.ts';
import { type Denial, isDenial } from '../../src/denial/index.ts';
import {
  bundleExecution,
  type Clock,
  createDomain,
  enrollAgent,
  type GovernorOptions,
  type Home,
  type OpenedGovernor,
  openGovernor,
  publishPolicy,
} from '../../src/governor/index.ts';
import { readKeyFile, SigningKey } from '../../src/key/index.ts';
import { buildPolicyBundle, type PolicyBundle, toolDefinitionDigest } from '../../src/policy/index.ts';
import type { EvidenceBundle } from '../../src/receipt/index.ts';

export const WRITE = 'mcp://fs/tools/write_file';
export const READ = 'mcp://fs/tools/read_file';

const DEFINITIONS: Readonly<Record<string, JsonObject>> = {
  [READ]: {
    name: 'read_file',
    inputSchema: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] },
    annotations: { readOnlyHint: true },
  },
  [WRITE]: {
    name: 'write_file',
    inputSchema: {
      type: 'object',
      properties: { path: { type: 'string' }, content: { type: 'string' }, amount: { type: 'integer' } },
      required: ['path'],
    },
    annotations: { readOnlyHint: false, destructiveHint: false },
  },
};

/** The value, or a test failure that names the denial. */
export function must<T>(value: T): Exclude<T, Denial> {
  if (isDenial(value)) throw new Error(`${value.code}: ${value.detail}`);
  return value as Exclude<T, Denial>;
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

export function testBundle(
  policyText = 'permit (principal, action, resource);',
  id = 'default',
): PolicyBundle {
  const bundle = buildPolicyBundle({
    id,
    policies: [{ path: 'test.cedar', text: policyText }],
    tools: Object.entries(DEFINITIONS).map(([id, definition]) => ({ server: 'fs', id, definition })),
  });
  if (!('digest' in bundle)) throw new Error(JSON.stringify(bundle));
  return bundle;
}

/** A trust domain in a folder of its own, with one enrolled agent. Remove it with `dispose`. */
export class TestDomain {
  readonly folder: string;
  readonly home: Home;
  readonly agent: SigningKey;
  readonly #issuer: SigningKey;

  private constructor(folder: string, home: Home, agent: SigningKey, issuer: SigningKey) {
    this.folder = folder;
    this.home = home;
    this.agent = agent;
    this.#issuer = issuer;
  }

  /** @param options.within where its folder is made. */
  static async create(
    policyText?: string,
    { name = 'test.local', within = tmpdir() }: { readonly name?: string; readonly within?: string } = {},
  ): Promise<TestDomain> {
    const folder = mkdtempSync(join(within, 'writ-domain-'));
    const atSeconds = nowSeconds();
    const home = must(await createDomain(join(folder, '.writ'), { name, actor: 'test', atSeconds }));
    const agent = SigningKey.generate();
    const subject = home.agent('worker');
    must(await enrollAgent(home, { subject, key: agent.publicKey, actor: 'test', atSeconds }));
    must(await publishPolicy(home, testBundle(policyText), { actor: 'test', atSeconds }));
    return new TestDomain(folder, home, agent, must(readKeyFile(home.keyFile('issuer'))));
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A root artifact of the worker for both tools with any arguments. */
  issue(change: Partial<RootGrant> = {}): string {
    return must(
      mintRoot({
        issuer: { iss: this.home.issuer, signer: this.#issuer },
        holder: this.agent.publicKey,
        tools: { [READ]: {}, [WRITE]: {} },
        iatSeconds: nowSeconds() - 1,
        expSeconds: nowSeconds() + 3600,
        maxDepth: 3,
        audiences: [this.home.audience('fs')],
        writ: { initiator: { id: this.home.agent('worker'), kind: 'agent' } },
        ...change,
      }),
    );
  }

  async open(options: Partial<GovernorOptions> = {}): Promise<OpenedGovernor> {
    const opened = must(await openGovernor({ home: this.home, name: 'fs', components: [], ...options }));
    opened.setTools(
      Object.entries(DEFINITIONS).map(([id, definition]) => ({
        id,
        digest: toolDefinitionDigest(definition),
      })),
    );
    return opened;
  }

  /** The evidence bundle of one execution. */
  async bundle(executionId: string): Promise<EvidenceBundle> {
    return must(await bundleExecution(this.home, executionId));
  }

  /** A call of the worker, with a fresh proof for it. */
  call(
    chain: readonly string[],
    options: {
      readonly audience: string;
      readonly tool?: string;
      readonly args?: JsonObject;
      readonly parent?: string;
      readonly signer?: SigningKey;
      readonly clock?: Clock;
    },
  ): Action {
    const { tool = WRITE, args = { path: '/a' }, audience, parent, signer = this.agent, clock } = options;
    const definition = DEFINITIONS[tool];
    return {
      tool,
      args,
      presentation: {
        aat_chain: chain,
        aat_pop: createProof({
          leaf: chain,
          signer,
          tool,
          args,
          audience,
          iatSeconds: clock === undefined ? nowSeconds() : Math.floor(clock.wallMs() / 1000),
          ...(parent === undefined ? {} : { parent }),
        }),
      },
      ...(definition === undefined ? {} : { toolDigest: toolDefinitionDigest(definition) }),
    };
  }
}
