import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadPackageDefinition, Server, ServerCredentials, type ServerWritableStream } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import type { HeldWit } from '../../workload/index.ts';
import { WORKLOAD_API } from './descriptor.ts';
import { workloadApiTarget } from './endpoint.ts';

export type Stream = ServerWritableStream<object, object>;

const METHODS = ['FetchX509SVID', 'FetchX509Bundles', 'FetchWITSVID', 'FetchWITBundles'];

/** A Workload API that says what a test has it say, and is not there for what it was not told. */
export class TestWorkloadApi {
  readonly endpoint: string;
  readonly answers: Record<string, (stream: Stream) => void> = {};
  readonly calls: string[] = [];
  readonly #server = new Server();
  readonly #folder = mkdtempSync(join(tmpdir(), 'writ-spiffe-'));

  private constructor() {
    this.endpoint = `unix://${join(this.#folder, 'agent.sock')}`;
  }

  static async start(): Promise<TestWorkloadApi> {
    const api = new TestWorkloadApi();
    const { SpiffeWorkloadAPI: service } = loadPackageDefinition(fromJSON(WORKLOAD_API, { keepCase: true }));
    if (service === undefined || !('service' in service)) throw new Error('no service');
    const handlers = METHODS.map((name) => [name, (stream: Stream) => api.#handle(name, stream)]);
    api.#server.addService(service.service as never, Object.fromEntries(handlers));
    await new Promise<void>((resolve, reject) => {
      const target = workloadApiTarget(api.endpoint) ?? '';
      api.#server.bindAsync(target, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      );
    });
    return api;
  }

  /** Has it give these WIT-SVIDs, one answer a stream. */
  giveWits(give: () => readonly Pick<HeldWit, 'id' | 'wit' | 'privateKey'>[]): void {
    this.answers.FetchWITSVID = (stream) =>
      stream.write({
        svids: give().map(({ id, wit, privateKey }) => ({
          ...{ spiffe_id: id, wit_svid: wit },
          wit_svid_key: JSON.stringify(privateKey.export({ format: 'jwk' })),
        })),
      });
  }

  close(): void {
    this.#server.forceShutdown();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #handle(method: string, stream: Stream): void {
    this.calls.push(method);
    const answer = this.answers[method];
    if (stream.metadata.get('workload.spiffe.io')[0] !== 'true') {
      stream.emit('error', { code: 3, details: 'security header missing' });
    } else if (answer === undefined) stream.emit('error', { code: 12, details: 'not here' });
    else answer(stream);
  }
}
