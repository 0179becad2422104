import type { Client, ClientReadableStream, Metadata, ServiceDefinition } from '@grpc/grpc-js';
import type { JsonObject } from '../../codec/index.ts';
import type { TrustBundle } from '../../workload/index.ts';
import { WORKLOAD_API } from './descriptor.ts';
import { workloadApiTarget } from './endpoint.ts';
import {
  type BundleKeys,
  trustBundlesOf,
  type WitIdentity,
  witIdentitiesOf,
  witKeysOf,
  type X509Identity,
  x509IdentitiesOf,
  x509KeysOf,
} from './identities.ts';

export interface Watcher<T> {
  /** Told of everything at once, anew with every rotation. */
  readonly onUpdate: (update: T) => void;
  /**
   * Why there is nothing new for now, or less than all; it goes on trying. `not_entitled`: what was told before is taken back
   * (Workload API §5.2.1, §7.2.1). `not_served`: it does not go on, the endpoint does not have what is asked for (§7).
   */
  readonly onProblem?: (problem: string, why?: 'not_entitled' | 'not_served') => void;
}

export interface WorkloadApiOptions {
  /** `unix:///run/spire/agent.sock`: what `SPIFFE_ENDPOINT_SOCKET` says. */
  readonly endpoint: string;
  /** How long it waits after a stream was lost, at first and at most. */
  readonly firstBackoffMs?: number;
  readonly maxBackoffMs?: number;
}

type Method = 'FetchX509SVID' | 'FetchX509Bundles' | 'FetchWITSVID' | 'FetchWITBundles';

const SERVICE = 'SpiffeWorkloadAPI';
const FIRST_BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 30_000;
const FIRST_WITHIN_MS = 10_000;
/** Of one answer that comes in parts. */
const MAX_TRUST_DOMAINS = 1024;
const MAX_PART_CHARACTERS = 16 * 1024 * 1024;
const INVALID_ARGUMENT = 3;
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;

/**
 * A client of the SPIFFE Workload API. It follows streams for as long as somebody watches, and connects again with growing
 * pauses. Its libraries, `@grpc/grpc-js` and `@grpc/proto-loader`, are loaded by `open` and by nothing else.
 */
export class WorkloadApi {
  readonly #client: Client;
  readonly #service: ServiceDefinition;
  readonly #metadata: Metadata;
  readonly #options: WorkloadApiOptions;
  readonly #stops = new Set<() => void>();

  private constructor(
    client: Client,
    service: ServiceDefinition,
    metadata: Metadata,
    options: WorkloadApiOptions,
  ) {
    this.#client = client;
    this.#service = service;
    this.#metadata = metadata;
    this.#options = options;
  }

  /** @throws Error where the endpoint is no Unix socket’s, or the libraries are not installed. */
  static async open(options: WorkloadApiOptions): Promise<WorkloadApi> {
    const target = workloadApiTarget(options.endpoint);
    if (target === undefined) {
      throw new Error(`the Workload API is not at "${options.endpoint}": give unix:///<absolute path>`);
    }
    const [grpc, { fromJSON }] = await Promise.all([
      import('@grpc/grpc-js'),
      import('@grpc/proto-loader'),
    ]).catch(() => {
      throw new Error('the Workload API needs two packages: npm install @grpc/grpc-js @grpc/proto-loader');
    });
    const { [SERVICE]: service } = fromJSON(WORKLOAD_API, { keepCase: true, defaults: true });
    if (service === undefined || 'format' in service) throw new Error('the Workload API is not described');
    // Without it an endpoint refuses: so nobody is tricked into asking who cannot set headers (Workload Endpoint §5.1).
    const metadata = new grpc.Metadata();
    metadata.set('workload.spiffe.io', 'true');
    const client = new grpc.Client(target, grpc.credentials.createInsecure());
    return new WorkloadApi(client, service as ServiceDefinition, metadata, options);
  }

  /** The X.509-SVIDs of this workload, the default one first. @returns ends it. */
  watchX509(watcher: Watcher<readonly X509Identity[]>): () => void {
    return this.#watch('FetchX509SVID', (message) => watcher.onUpdate(x509IdentitiesOf(message)), watcher);
  }

  /** The WIT-SVIDs of this workload; few endpoints have them yet. @returns ends it. */
  watchWit(watcher: Watcher<readonly WitIdentity[]>): () => void {
    return this.#watch('FetchWITSVID', (message) => watcher.onUpdate(witIdentitiesOf(message)), watcher);
  }

  /**
   * The trust bundles of all trust domains this workload should trust. One that cannot be read is told as a problem and left
   * out: its trust domain alone is not trusted. @returns ends it.
   */
  watchTrustBundles(watcher: Watcher<readonly TrustBundle[]>): () => void {
    let x509: BundleKeys | undefined;
    let wit: BundleKeys | undefined;
    let part: [string, readonly JsonObject[]][] = [];
    let partCharacters = 0;
    const forget = () => {
      part = [];
      partCharacters = 0;
    };
    const unreadableIn = (method: Method) => (problem: string) =>
      watcher.onProblem?.(`${method}: left out: ${problem}`);
    const tell = (method: Method) => watcher.onUpdate(trustBundlesOf([x509, wit], unreadableIn(method)));
    const stops = [
      this.#watch(
        'FetchX509Bundles',
        (message) => {
          x509 = x509KeysOf(message, unreadableIn('FetchX509Bundles'));
          tell('FetchX509Bundles');
        },
        {
          onUpdate: watcher.onUpdate,
          onProblem: (problem, why) => {
            watcher.onProblem?.(problem, why);
            if (why !== 'not_entitled') return;
            x509 = undefined;
            tell('FetchX509Bundles');
          },
        },
      ),
      this.#watch(
        'FetchWITBundles',
        (message) => {
          const { keys, more, characters } = witKeysOf(message, unreadableIn('FetchWITBundles'));
          partCharacters += characters;
          // INVARIANT: an endpoint that never comes to an end costs no more memory than this.
          if (part.length + keys.size > MAX_TRUST_DOMAINS || partCharacters > MAX_PART_CHARACTERS) {
            throw new Error(`more than ${MAX_TRUST_DOMAINS} bundles, or ${MAX_PART_CHARACTERS} characters`);
          }
          part.push(...keys);
          if (more) return;
          wit = new Map(part);
          forget();
          tell('FetchWITBundles');
        },
        {
          onUpdate: watcher.onUpdate,
          onProblem: (problem, why) => {
            // The next stream tells everything anew: what this one had told in part is not of it.
            forget();
            watcher.onProblem?.(problem, why);
            if (why !== 'not_entitled') return;
            wit = undefined;
            tell('FetchWITBundles');
          },
        },
      ),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** The first answer of a stream. @throws Error where the first thing that happens is a problem, or nothing does in time. */
  first<T>(watch: (watcher: Watcher<T>) => () => void, withinMs = FIRST_WITHIN_MS): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(late);
        setImmediate(() => stop());
      };
      const fail = (problem: string) => {
        reject(new Error(problem));
        end();
      };
      const late = setTimeout(() => fail(`no answer within ${withinMs / 1000} s`), withinMs);
      const stop = watch({
        onUpdate: (update) => {
          resolve(update);
          end();
        },
        onProblem: fail,
      });
    });
  }

  close(): void {
    for (const stop of this.#stops) stop();
    this.#client.close();
  }

  #watch(method: Method, take: (message: unknown) => void, { onProblem }: Watcher<never>): () => void {
    const { firstBackoffMs = FIRST_BACKOFF_MS, maxBackoffMs = MAX_BACKOFF_MS } = this.#options;
    const definition = this.#service[method];
    if (definition === undefined) throw new TypeError(method);
    let stopped = false;
    let backoffMs = firstBackoffMs;
    let stream: ClientReadableStream<unknown> | undefined;
    let timer: NodeJS.Timeout | undefined;
    const stop = () => {
      stopped = true;
      clearTimeout(timer);
      stream?.cancel();
      this.#stops.delete(stop);
    };
    const start = () => {
      let over = false;
      const own = this.#client.makeServerStreamRequest(
        definition.path,
        definition.requestSerialize,
        definition.responseDeserialize,
        {},
        this.#metadata,
      );
      stream = own;
      const again = (problem: string, code?: number) => {
        if (over || stopped) return;
        over = true;
        // Asking again would not help.
        const isServed = code !== INVALID_ARGUMENT && code !== UNIMPLEMENTED;
        if (!isServed) stop();
        const why = code === PERMISSION_DENIED ? 'not_entitled' : isServed ? undefined : 'not_served';
        onProblem?.(`${method}: ${problem}`, why);
        if (stopped) return;
        timer = setTimeout(start, backoffMs * (0.5 + Math.random() / 2)).unref();
        backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
      };
      own.on('data', (message: unknown) => {
        if (over || stopped) return;
        try {
          take(message);
          backoffMs = firstBackoffMs;
        } catch (error) {
          // What cannot be used is not taken in part; what was taken before stands.
          again(error instanceof Error ? error.message : 'unusable answer');
          own.cancel();
        }
      });
      own.on('error', (error: Error & { readonly code?: number; readonly details?: string }) => {
        again(error.details ?? 'lost', error.code);
      });
      own.on('end', () => again('the stream ended'));
    };
    this.#stops.add(stop);
    start();
    return stop;
  }
}
