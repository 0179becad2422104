import { createServer, type IncomingMessage, type Server } from 'node:http';
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/codec/index.ts';

/** A span as it came over the wire. */
export interface ReceivedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly traceState: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** An OTLP/HTTP collector on loopback that keeps every byte it is sent. */
export class OtlpReceiver {
  readonly #server: Server;
  readonly #bodies: Buffer[] = [];
  #authorization: string | undefined;
  status = 200;

  private constructor() {
    this.#server = createServer((request, response) => {
      void this.#receive(request).then(() => {
        response.writeHead(this.status, { 'content-type': 'application/json' }).end('{}');
      });
    });
  }

  static async start(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get origin(): string {
    const bound = this.#server.address();
    return `http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;
  }

  get tracesUrl(): string {
    return `${this.origin}/v1/traces`;
  }

  /** Of the newest request. */
  get authorization(): string | undefined {
    return this.#authorization;
  }

  get bytes(): string {
    return Buffer.concat(this.#bodies).toString('utf8');
  }

  get requests(): number {
    return this.#bodies.length;
  }

  spans(): ReceivedSpan[] {
    return this.#bodies.flatMap((body) => {
      const json: unknown = JSON.parse(body.toString('utf8'));
      if (!isJsonObject(json)) throw new Error('no OTLP/JSON');
      return listOf(json.resourceSpans).flatMap((resource) =>
        listOf(resource.scopeSpans).flatMap((scope) => listOf(scope.spans).map(spanOf)),
      );
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #receive(request: IncomingMessage): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    this.#authorization = request.headers.authorization;
    this.#bodies.push(Buffer.concat(chunks));
  }
}

function spanOf(span: JsonObject): ReceivedSpan {
  const { name, traceId, spanId, parentSpanId, traceState } = span;
  return {
    name: String(name),
    traceId: String(traceId),
    spanId: String(spanId),
    parentSpanId: typeof parentSpanId === 'string' ? parentSpanId : undefined,
    traceState: typeof traceState === 'string' ? traceState : undefined,
    attributes: Object.fromEntries(
      listOf(span.attributes).map(({ key, value }) => [String(key), plainOf(value)]),
    ),
  };
}

function plainOf(value: JsonValue | undefined): unknown {
  if (!isJsonObject(value)) return undefined;
  const { stringValue, intValue, arrayValue } = value;
  if (isJsonObject(arrayValue)) return listOf(arrayValue.values).map(plainOf);
  return stringValue ?? intValue;
}

function listOf(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}
