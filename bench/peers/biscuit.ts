import { FORBIDDEN_FOLDERS } from '../twenty-policies.ts';
import { type Contestant, mustPermit, mustRefuse } from './contestant.ts';
import { importPeer } from './peer-package.ts';

const NAME = '@biscuit-auth/biscuit-wasm';
const VERSION = '0.6.0';
/** More time than the library allows by default, which a busy machine exceeds. */
const LIMITS = { max_facts: 1000, max_iterations: 100, max_time_micro: 1_000_000 };

interface Token {
  free(): void;
  toBytes(): Uint8Array;
}
interface Fact {
  set(name: string, value: unknown): void;
}
interface AuthorizerBuilder {
  addCode(source: string): void;
  addFact(fact: Fact): void;
  merge(other: AuthorizerBuilder): void;
  buildAuthenticated(token: Token): { free(): void; authorizeWithLimits(limits: object): number };
}
interface BiscuitModule {
  readonly SignatureAlgorithm: { readonly Ed25519: number };
  readonly KeyPair: new (algorithm: number) => { getPrivateKey(): object; getPublicKey(): object };
  readonly Biscuit: {
    builder(): { addCode(source: string): void; build(key: object): Token };
    fromBytes(bytes: Uint8Array, root: object): Token;
  };
  readonly AuthorizerBuilder: new () => AuthorizerBuilder;
  readonly Fact: { fromString(source: string): Fact };
}

export async function biscuitContestant(scratch: string): Promise<Contestant> {
  const biscuit = (await importPeer(scratch, NAME, VERSION)) as BiscuitModule;
  const keys = new biscuit.KeyPair(biscuit.SignatureAlgorithm.Ed25519);
  const root = keys.getPublicKey();
  const builder = biscuit.Biscuit.builder();
  builder.addCode(
    'user("worker"); grant("read_text_file"); ' +
      'check if tool($tool), grant($tool); check if path($path), $path.starts_with("/data/");',
  );
  const token = builder.build(keys.getPrivateKey()).toBytes();
  // Parsed once and merged into the builder of each call.
  const policies = new biscuit.AuthorizerBuilder();
  policies.addCode(
    [
      ...FORBIDDEN_FOLDERS.map((folder) => `deny if path($path), $path.starts_with("${folder}/");`),
      'allow if user("worker"), tool("read_text_file");',
    ].join('\n'),
  );
  const authorize = (bytes: Uint8Array, tool: string, path: string): void => {
    const verified = biscuit.Biscuit.fromBytes(bytes, root);
    const facts = new biscuit.AuthorizerBuilder();
    for (const [name, value] of Object.entries({ tool, path })) {
      const fact = biscuit.Fact.fromString(`${name}({value})`);
      fact.set('value', value);
      facts.addFact(fact);
    }
    facts.merge(policies);
    const authorizer = facts.buildAuthenticated(verified);
    try {
      mustPermit(authorizer.authorizeWithLimits(LIMITS) === FORBIDDEN_FOLDERS.length);
    } finally {
      authorizer.free();
      verified.free();
    }
  };
  return {
    name: 'biscuit-wasm verify + authorize',
    version: VERSION,
    does: 'signature of a bearer token, its checks (tool, path prefix), 20 Datalog policies',
    doesNot: 'proof of possession, replay, any record',
    refuses: 'altered token; path outside the prefix; tool not granted',
    inFlight: 1,
    batch: 300,
    async check() {
      authorize(token, 'read_text_file', '/data/file.txt');
      const altered = token.slice();
      altered[altered.length >> 1] = (altered[altered.length >> 1] ?? 0) ^ 1;
      await mustRefuse('an altered token', () => authorize(altered, 'read_text_file', '/data/file.txt'));
      await mustRefuse('another path', () => authorize(token, 'read_text_file', '/etc/passwd'));
      await mustRefuse('another tool', () => authorize(token, 'write_file', '/data/file.txt'));
    },
    prepare: () => (at) => authorize(token, 'read_text_file', `/data/file-${at}.txt`),
  };
}
