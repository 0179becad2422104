import { deriveToken, mintRoot, type RootGrant } from '../../src/artifact/index.ts';
import { digestOf, type JsonObject } from '../../src/codec/index.ts';
import type { Home } from '../../src/governor/index.ts';
import { readKeyFile, SigningKey } from '../../src/key/index.ts';
import { must } from '../support/trust-domain.ts';
import type { Random } from './random.ts';

export const READ = 'mcp://fs/tools/read_file';
export const WRITE = 'mcp://fs/tools/write_file';
export const DELETE = 'mcp://fs/tools/delete_file';

/** An artifact with the key that may present it. */
export interface Held {
  readonly chain: readonly string[];
  readonly signer: SigningKey;
}

export interface Agent {
  readonly name: string;
  key: SigningKey;
}

const PATHS = ['/a', '/b/c', '/srv/.git/config', '/late', '/d/e/f'] as const;
const EVERYTHING = { [READ]: {}, [WRITE]: {}, [DELETE]: {} };

/** What an artifact is good or bad for; each is held by some agent at any time. */
export const FLAVOURS = [
  ...[
    'plain',
    'plain',
    'derived',
    'derived',
    'counted',
    'budgeted',
    'narrow',
    'readonly',
    'windowed',
    'purposeless',
  ],
  ...['bound', 'fresh', 'mismatched', 'tpm', 'pinned', 'approved', 'future', 'elsewhere', 'rogue', 'forged'],
  ...['mixed', 'impostor', 'unenrolled', 'short'],
] as const;
export type Flavour = (typeof FLAVOURS)[number];

/** Issues artifacts of every flavour. */
export class Issuer {
  readonly #home: Home;
  readonly #signer: SigningKey;
  readonly #rogue = SigningKey.generate();
  readonly #random: Random;

  constructor(home: Home, random: Random) {
    this.#home = home;
    this.#signer = must(readKeyFile(home.keyFile('issuer')));
    this.#random = random;
  }

  issue(flavour: Flavour | string, agent: Agent, other: Agent, nowSeconds: number): Held {
    const root = (change: Partial<RootGrant> = {}, holder = agent) => this.#root(holder, nowSeconds, change);
    const writ = (more: object) => ({ writ: { ...this.#writ(agent), ...more } });
    const hold = (token: string): Held => ({ chain: [token], signer: agent.key });
    const { name, digest } = { name: 'upstream', digest: digestOf('server') };
    switch (flavour) {
      case 'derived':
        return this.#derived(root({ maxDepth: 3 }), agent, other, nowSeconds);
      case 'counted':
        return hold(root({ ...this.#here(), ...writ({ use: { maxUses: this.#random.between(1, 12) } }) }));
      case 'budgeted':
        return hold(
          root({
            ...this.#here(),
            tools: { [WRITE]: {} },
            ...writ({ use: { budgets: [{ argument: 'amount', total: this.#random.between(1, 300) / 10 }] } }),
          }),
        );
      case 'narrow':
        return hold(
          root({ tools: { [WRITE]: { path: { constraint_type: 'exact', value: '/a' } }, [READ]: {} } }),
        );
      case 'readonly':
        return hold(root({ tools: { [READ]: {} } }));
      case 'windowed': {
        const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
        const windows = [{ days, from: '00:00', to: '12:00', tz: 'UTC' }];
        return hold(root(writ({ use: { windows } })));
      }
      case 'purposeless':
        return hold(root(writ({ governance: {} })));
      case 'bound':
        return hold(root(writ({ environment: { components: [{ kind: 'upstream', name, digest }] } })));
      case 'fresh':
        return hold(root(writ({ environment: { maxAgeSeconds: 120 } })));
      case 'mismatched':
        return hold(root(writ({ environment: { digests: [digestOf('another runtime')] } })));
      case 'tpm':
        return hold(root(writ({ environment: { assurance: 'tpm' } })));
      case 'pinned':
        return hold(root(writ({ governance: { purpose: 'p', policy: { id: 'another' } } })));
      case 'approved':
        return hold(
          root(writ({ governance: { purpose: 'p', approvals: [{ role: 'operator', threshold: 1 }] } })),
        );
      case 'future':
        return hold(root({ nbfSeconds: nowSeconds + 900 }));
      case 'elsewhere':
        return hold(root({ audiences: [this.#home.audience('db')] }));
      case 'rogue':
        return hold(root({ issuer: { iss: 'spiffe://elsewhere/issuer', signer: this.#rogue } }));
      case 'forged': {
        const token = root();
        return hold(`${token.slice(0, -8)}${token.endsWith('AAAAAAAA') ? 'BBBBBBBB' : 'AAAAAAAA'}`);
      }
      case 'mixed': {
        const { chain, signer } = this.#derived(root({ maxDepth: 3 }), agent, other, nowSeconds);
        return { chain: [root({ maxDepth: 3 }), ...chain.slice(1)], signer };
      }
      case 'impostor':
        return hold(
          root({
            writ: {
              ...this.#writ(other),
              initiator: { id: this.#home.agent(`${other.name}-x`), kind: 'agent' },
            },
          }),
        );
      case 'unenrolled': {
        const key = SigningKey.generate();
        const stranger: Agent = { name: agent.name, key };
        const initiator = { id: 'mailto:ada@example.test', kind: 'human' } as const;
        return { chain: [root({ writ: { initiator } }, stranger)], signer: key };
      }
      case 'short':
        return hold(root({ expSeconds: nowSeconds + 90 }));
      default:
        return hold(root());
    }
  }

  arguments(tool: string): JsonObject {
    const random = this.#random;
    const path = random.pick(...PATHS);
    if (tool !== WRITE) return { path };
    const amount = random.chance(0.01) ? 9_007_199_254_740_000 : random.between(0, 40) / 10;
    return { path, content: 'x'.repeat(random.between(0, 200)), amount };
  }

  /** A root of the holder's, derived once or twice: to the other agent, and perhaps back. */
  #derived(token: string, agent: Agent, other: Agent, nowSeconds: number): Held {
    const child = (parent: string, from: Agent, to: Agent) =>
      must(
        deriveToken({
          ...{ parent, signer: from.key, holder: to.key.publicKey, iatSeconds: nowSeconds },
          ...(this.#random.chance(0.5) ? { tools: { [READ]: {}, [WRITE]: {} } } : {}),
        }),
      );
    const first = child(token, agent, other);
    if (this.#random.chance(0.5)) return { chain: [token, first], signer: other.key };
    return { chain: [token, first, child(first, other, agent)], signer: agent.key };
  }

  #root(holder: Agent, nowSeconds: number, change: Partial<RootGrant>): string {
    return must(
      mintRoot({
        issuer: { iss: this.#home.issuer, signer: this.#signer },
        holder: holder.key.publicKey,
        tools: EVERYTHING,
        iatSeconds: nowSeconds,
        expSeconds: nowSeconds + 3600,
        audiences: [this.#home.audience('fs'), this.#home.audience('fs~2')],
        writ: this.#writ(holder),
        ...change,
      }),
    );
  }

  /** What counts names one audience. */
  #here(): { readonly audiences: readonly string[] } {
    return { audiences: [this.#home.audience('fs')] };
  }

  #writ({ name }: Agent) {
    return {
      initiator: { id: this.#home.agent(name), kind: 'agent' },
      governance: { purpose: 'campaign' },
      attribution: { owner: 'mailto:ada@example.test' },
    } as const;
  }
}
