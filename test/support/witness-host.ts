import { mkdtempSync, rmSync } from 'node:fs';
import type { RequestListener, Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDenial } from '../../src/denial/index.ts';
import { SigningKey } from '../../src/key/index.ts';
import { createWitnessServer, Witness, type WitnessEvent } from '../../src/server/index.ts';
import { WitnessState } from '../../src/storage/index.ts';
import {
  COSIGNATURE_V1,
  formatVkey,
  type NoteVerifier,
  noteVerifier,
  parseWitnessPolicy,
  type WitnessPolicy,
} from '../../src/tlog/index.ts';

/** A witness on loopback whose state outlives its process, as far as a test kills it. */
export class WitnessHost {
  readonly name: string;
  readonly key: SigningKey;
  readonly events: WitnessEvent[] = [];
  readonly directory: string;
  readonly #logs: ReadonlyMap<string, readonly NoteVerifier[]>;
  nowSeconds: () => number = () => Date.now() / 1000;
  #server: Server | undefined;
  #state: WitnessState | undefined;
  #port = 0;
  #lie: RequestListener | undefined;

  constructor(seed: number, logs: readonly NoteVerifier[]) {
    this.name = `w${seed}`;
    this.key = SigningKey.fromSeed(new Uint8Array(32).fill(seed));
    this.directory = mkdtempSync(join(tmpdir(), 'writ-witness-'));
    this.#logs = new Map(logs.map((key) => [key.name, [key]]));
    WitnessState.create(this.directory);
  }

  get keyName(): string {
    return `${this.name}.example`;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get vkey(): string {
    return formatVkey(this.keyName, this.key.publicKey, COSIGNATURE_V1);
  }

  get verifier(): NoteVerifier {
    return noteVerifier(this.keyName, this.key.publicKey, COSIGNATURE_V1);
  }

  /** What it has cosigned last, read from its state. */
  seen(origin: string): { size: number; rootHash: Uint8Array } | undefined {
    const state = WitnessState.open(this.directory);
    try {
      return state.read(origin);
    } finally {
      state.close();
    }
  }

  /** From now on it answers as `listener` does; undefined makes it honest again. */
  lie(listener: RequestListener | undefined): void {
    this.#lie = listener;
  }

  async start(): Promise<this> {
    const state = WitnessState.open(this.directory);
    const witness = new Witness({
      logs: this.#logs,
      state,
      name: this.keyName,
      signers: [this.key],
      nowSeconds: () => this.nowSeconds(),
    });
    const honest = createWitnessServer({ witness, onEvent: (event) => this.events.push(event) });
    const front = createServer((request, response) => {
      if (this.#lie === undefined) honest.emit('request', request, response);
      else this.#lie(request, response);
    });
    await new Promise<void>((resolve) => front.listen(this.#port, '127.0.0.1', resolve));
    const { port } = front.address() as AddressInfo;
    this.#port = port;
    this.#server = front;
    this.#state = state;
    return this;
  }

  /** As when its process is killed: connections cut, port closed, nothing said. */
  async kill(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
    this.#state?.close();
  }

  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** `threshold` of the witnesses, as the text of a policy file. */
export function policyText(hosts: readonly WitnessHost[], threshold: number): string {
  const witnesses = hosts.map(({ name, vkey, url }) => `witness ${name} ${vkey} ${url}\n`);
  const members = hosts.map(({ name }) => name).join(' ');
  return `${witnesses.join('')}group all-of-them ${threshold} ${members}\nquorum all-of-them\n`;
}

export function policyOf(hosts: readonly WitnessHost[], threshold: number): WitnessPolicy {
  const policy = parseWitnessPolicy(policyText(hosts, threshold));
  if (isDenial(policy)) throw new Error(policy.detail);
  return policy;
}
