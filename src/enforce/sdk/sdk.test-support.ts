import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must, nowSeconds } from '../../../test/support/trust-domain.ts';
import type { RootGrant } from '../../artifact/index.ts';
import { isDenial } from '../../denial/index.ts';
import {
  createDomain,
  enrollAgent,
  type Home,
  issueArtifact,
  publishPolicy,
  writeFileDurably,
} from '../../governor/index.ts';
import { SigningKey, writeKeyFile } from '../../key/index.ts';
import { buildPolicyBundle } from '../../policy/index.ts';
import {
  type DecisionReceipt,
  type OutcomeReceipt,
  parseDecisionReceipt,
  parseOutcomeReceipt,
} from '../../receipt/index.ts';
import { openSqliteLogReader } from '../../storage/index.ts';
import { openWrit, type WritOptions } from './open-writ.ts';
import { Writ } from './writ.ts';

/** A `Writ` that permits nothing: for gathering what tools a program has. */
export function unopenedWrit(): Writ {
  return new Writ({
    governor: { run: () => Promise.reject(new Error('not open')), settle: () => Promise.resolve() },
    presenter: { grants: () => false, present: () => ({ aat_chain: [], aat_pop: '' }) },
    home: '/nowhere',
    name: 'app',
    scheme: 'sdk',
    pinnedDigest: () => undefined,
    onTools: () => {},
    concludeLater: async () => undefined,
    close: () => Promise.resolve(),
  });
}

/** A trust domain on disk for the program `app` and its agent, with the tools it has. */
export class SdkWorld {
  readonly folder: string;
  readonly home: Home;
  readonly #agent = SigningKey.generate();

  private constructor(folder: string, home: Home) {
    this.folder = folder;
    this.home = home;
  }

  /** @param register wraps the program's tools, as it does later with the opened `Writ`. */
  static async create(
    register: (writ: Writ) => unknown,
    { policy = 'permit (principal, action, resource);' }: { readonly policy?: string } = {},
  ): Promise<SdkWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'writ-sdk-'));
    const by = { actor: 'test', atSeconds: nowSeconds() };
    const home = must(await createDomain(join(folder, '.writ'), { name: 'test.local', ...by }));
    const world = new SdkWorld(folder, home);
    must(writeKeyFile(home.agentKeyFile('agent'), world.#agent));
    const subject = home.agent('agent');
    must(await enrollAgent(home, { subject, key: world.#agent.publicKey, ...by }));
    const writ = unopenedWrit();
    register(writ);
    const { server, tools } = writ.manifest();
    const bundle = buildPolicyBundle({
      id: 'default',
      policies: [{ path: 'test.cedar', text: policy }],
      tools: tools.map((tool) => ({ server, ...tool })),
    });
    if (!('digest' in bundle)) throw new Error(JSON.stringify(bundle));
    must(await publishPolicy(home, bundle, by));
    return world;
  }

  /** Stores an artifact of the agent for these tools, with any arguments unless constrained. */
  async grant(tools: RootGrant['tools'], change: Partial<RootGrant> = {}, name = 'agent-app'): Promise<void> {
    const issued = must(
      await issueArtifact(
        this.home,
        {
          holder: this.#agent.publicKey,
          tools,
          audiences: [this.home.audience('app')],
          iatSeconds: nowSeconds() - 1,
          expSeconds: nowSeconds() + 3600,
          writ: { initiator: { id: 'spiffe://test.local/user/ada', kind: 'human' } },
          ...change,
        },
        { actor: 'test', atSeconds: nowSeconds() },
      ),
    );
    writeFileDurably(this.home.artifactFile(name), JSON.stringify({ aat_chain: [issued.compact] }));
  }

  open(options: Partial<WritOptions> = {}): Promise<Writ> {
    return openWrit({ home: this.home.folder, name: 'app', measure: async () => [], ...options });
  }

  /** What the execution log holds, in its order. */
  async entries(writ: Writ): Promise<{ decisions: DecisionReceipt[]; outcomes: OutcomeReceipt[] }> {
    await writ.settle();
    const reader = openSqliteLogReader(this.home.executionLogFolder('app'));
    const entries = reader.read(0, reader.head().size);
    reader.close();
    return {
      decisions: entries.map(parseDecisionReceipt).flatMap((entry) => (isDenial(entry) ? [] : [entry])),
      outcomes: entries.map(parseOutcomeReceipt).flatMap((entry) => (isDenial(entry) ? [] : [entry])),
    };
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
