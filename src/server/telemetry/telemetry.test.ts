import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ApiClient, ApiDaemon } from '../../../test/support/api-daemon.ts';
import { OtlpReceiver, type ReceivedSpan } from '../../../test/support/otlp-receiver.ts';
import { TestDomain } from '../../../test/support/trust-domain.ts';
import { isDenial } from '../../denial/index.ts';
import {
  type CallerTrace,
  type ConnectedGovernor,
  connectGovernor,
  DecisionTracer,
  findExecution,
  type Outcome,
  parseCallerTrace,
  systemClock,
} from '../../governor/index.ts';
import { DEFAULT_CONFIG } from '../config/index.ts';
import { type ExportedTraces, openTraces } from './index.ts';
import { tracesConfig } from './traces-config.ts';

const SOURCE = { domain: 'test.local', version: '0', service: 'writ' };
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const CALLER = { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'vendor=opaque' };
const SECRET = 'hunter2-planted-secret';

describe('spans of a daemon', () => {
  let receiver: OtlpReceiver;
  let traces: ExportedTraces;
  let running: ApiDaemon;
  let point: ConnectedGovernor;
  let client: ApiClient;
  let outcomes: Record<'permitted' | 'denied' | 'malformed' | 'unsampled' | 'failed', Outcome<unknown>>;
  let evaluated: unknown;
  let forwarded: Response;
  let spans: ReceivedSpan[] = [];

  async function act(
    caller: CallerTrace | undefined,
    change = {},
    status: 'succeeded' | 'failed' = 'succeeded',
  ) {
    const args = { path: `/${SECRET}` };
    const chain = [running.domain.issue()];
    const action = { ...running.domain.call(chain, { audience: point.audience, args }), ...change };
    const evidence = Buffer.from(SECRET);
    return point.governor.run(
      action,
      async () => ({ status, value: 1, evidence, result: { SECRET } }),
      caller,
    );
  }

  beforeAll(async () => {
    receiver = await OtlpReceiver.start();
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', receiver.origin);
    vi.stubEnv('OTEL_EXPORTER_OTLP_HEADERS', 'authorization=Bearer%20for-the-collector');
    const opened = await openTraces(process.env, DEFAULT_CONFIG.telemetry, SOURCE);
    vi.unstubAllEnvs();
    if (opened === undefined) throw new Error('nothing is traced');
    traces = opened;
    running = await ApiDaemon.start({}, systemClock, { tracer: traces.tracer });
    const connected = await connectGovernor({ home: running.domain.home, name: 'fs', components: [] });
    if (connected === undefined || isDenial(connected)) throw new Error('no daemon');
    point = connected;
    client = await running.client('enforcement-point', 'web');
    outcomes = {
      permitted: await act(CALLER),
      denied: await act(CALLER, { presentation: undefined }),
      malformed: await act(undefined, { tool: `${SECRET}\n` }),
      unsampled: await act({ traceparent: `00-${'a'.repeat(32)}-${SPAN}-00` }),
      failed: await act(CALLER, {}, 'failed'),
    };
    const evaluation = {
      subject: { type: 'user', id: SECRET },
      action: { name: 'read' },
      resource: { type: 'todo', id: SECRET },
    };
    evaluated = await (await client.post('/authzen/web/access/v1/evaluation', evaluation, CALLER)).json();
    forwarded = await client.get('/forward-auth/caddy/web', {
      traceparent: `00-${TRACE}-${SPAN}-01-more`,
      'x-forwarded-method': 'GET',
      'x-forwarded-uri': `/?q=${SECRET}`,
      'x-forwarded-host': 'a.example',
    });
    await point.close();
    await running.daemon.close();
    await traces.close();
    spans = receiver.spans();
  });
  afterAll(async () => {
    await running.close();
    await receiver.close();
  });

  const of = (executionId: string) =>
    spans.filter((span) => span.attributes['writ.execution.id'] === executionId);

  it("are children of the caller's span: the decision, and below it the effect with its outcome", () => {
    const [decision, effect, ...others] = of(outcomes.permitted.executionId);
    expect(others).toEqual([]);
    expect(decision).toMatchObject({
      name: 'writ.decide',
      traceId: TRACE,
      parentSpanId: SPAN,
      traceState: 'vendor=opaque',
      attributes: { 'writ.verdict': 'permit', 'gen_ai.tool.name': 'mcp://fs/tools/write_file' },
    });
    expect(decision?.attributes['writ.stages']).toHaveLength(11);
    expect(effect).toMatchObject({
      name: 'writ.execute',
      traceId: TRACE,
      parentSpanId: decision?.spanId,
      attributes: { 'writ.outcome': 'succeeded' },
    });
    expect(of(outcomes.failed.executionId).at(-1)?.attributes['writ.outcome']).toBe('failed');
  });

  it('say why it was denied, and lead to the receipt', () => {
    const [decision, ...others] = of(outcomes.denied.executionId);
    expect(others).toEqual([]);
    expect(decision?.attributes).toMatchObject({
      'writ.verdict': 'deny',
      'writ.code': 'artifact.missing',
      'writ.stage': 'artifact',
      'writ.stages': ['request=pass', 'artifact=fail'],
    });
    const found = findExecution(running.domain.home, String(decision?.attributes['writ.execution.id']));
    found?.reader.close();
    expect(found?.record.decision).toMatchObject({ verdict: 'deny', code: 'artifact.missing' });
    expect(found?.record.decisionIndex).toBe(decision?.attributes['writ.log.index']);
  });

  it('of enforcement points that only ask have the context of the request', () => {
    expect(evaluated).toMatchObject({ decision: false });
    expect(spans).toContainEqual(
      expect.objectContaining({
        traceId: TRACE,
        parentSpanId: SPAN,
        attributes: expect.objectContaining({ 'gen_ai.tool.name': 'authzen://todo/read' }),
      }),
    );
  });

  it('are of a trace of their own where the context is malformed, and the decision is the same', () => {
    expect([forwarded.status, forwarded.headers.get('writ-reason')]).toEqual([401, 'artifact.missing']);
    const [decision] = of(forwarded.headers.get('writ-execution') ?? '');
    expect(decision?.parentSpanId).toBeUndefined();
    expect(decision?.traceId).not.toBe(TRACE);
  });

  it('are not there where the caller does not sample, and the receipt is', () => {
    expect(of(outcomes.unsampled.executionId)).toEqual([]);
    const found = findExecution(running.domain.home, outcomes.unsampled.executionId);
    found?.reader.close();
    expect(found?.record.decision.verdict).toBe('permit');
  });

  it('hold no argument, no result and nothing else a caller made up', () => {
    expect(outcomes.malformed.verdict).toBe('deny');
    expect(of(outcomes.malformed.executionId)).toHaveLength(1);
    expect(receiver.bytes).toContain('writ.execution.id');
    expect(receiver.bytes).not.toContain(SECRET);
    expect(receiver.authorization).toBe('Bearer for-the-collector');
  });
});

describe('a governor in process, and a receiver that fails', () => {
  it.each([
    ['refuses', 400],
    ['is gone', 0],
  ])('(it %s): that costs spans, and no decision', async (_name, status) => {
    const receiver = await OtlpReceiver.start();
    receiver.status = status;
    const telemetry = { ...DEFAULT_CONFIG.telemetry, tracesEndpoint: receiver.tracesUrl };
    const traces = await openTraces({}, telemetry, SOURCE);
    if (traces === undefined) throw new Error('nothing is traced');
    if (status === 0) await receiver.close();
    const domain = await TestDomain.create();
    const opened = await domain.open({ tracer: traces.tracer });
    const action = domain.call([domain.issue()], { audience: opened.audience });
    const done = await opened.governor.run(action, async () => ({ status: 'succeeded', value: 1 }));
    await opened.close();
    domain.dispose();
    const startedMs = performance.now();
    await traces.close();
    expect(done.verdict).toBe('permit');
    expect(performance.now() - startedMs).toBeLessThan(4000);
    expect(receiver.requests).toBe(status === 0 ? 0 : 1);
    if (status !== 0) await receiver.close();
  });

  it('decides all the same with a tracer that throws', async () => {
    const broken = {
      startSpan: () => {
        throw new Error('broken');
      },
      startActiveSpan: () => undefined as never,
    };
    const domain = await TestDomain.create();
    const opened = await domain.open({ tracer: new DecisionTracer(broken) });
    const action = domain.call([domain.issue()], { audience: opened.audience });
    const done = await opened.governor.run(action, async () => ({ status: 'succeeded', value: 1 }));
    expect(done.verdict).toBe('permit');
    await opened.close();
    domain.dispose();
  });
});

describe('what is asked of tracing', () => {
  const telemetry = DEFAULT_CONFIG.telemetry;
  const endpoint = { ...telemetry, tracesEndpoint: 'http://127.0.0.1:4318/v1/traces' };

  it.each<[string, Record<string, string>, typeof telemetry, object | undefined]>([
    ['nothing', {}, telemetry, undefined],
    ['an endpoint in the file', {}, endpoint, { url: endpoint.tracesEndpoint }],
    [
      'an endpoint in the environment',
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x' },
      endpoint,
      { url: undefined },
    ],
    ['the exporter alone', { OTEL_TRACES_EXPORTER: 'otlp' }, telemetry, { url: undefined }],
    ['no exporter', { OTEL_TRACES_EXPORTER: 'none' }, endpoint, undefined],
    ['an SDK that is off', { OTEL_SDK_DISABLED: 'TRUE' }, endpoint, undefined],
    [
      'a ratio',
      { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' },
      endpoint,
      { sampler: { parentBased: false, ratio: 0.1 } },
    ],
    [
      'nonsense',
      { OTEL_TRACES_SAMPLER: 'maybe', OTEL_BSP_MAX_QUEUE_SIZE: '-1' },
      endpoint,
      { sampler: { parentBased: true, ratio: 1 }, batch: {} },
    ],
  ])('%s', (_name, environment, config, expected) => {
    const traces = tracesConfig(environment, config);
    if (expected === undefined) expect(traces).toBeUndefined();
    else expect(traces).toMatchObject(expected);
  });
});

describe('a caller’s trace context', () => {
  const whole = `00-${TRACE}-${SPAN}-01`;

  it.each<[unknown, unknown, object | undefined]>([
    [whole, undefined, { traceparent: whole }],
    [whole, 'a=1,b=2', { traceparent: whole, tracestate: 'a=1,b=2' }],
    [
      `cc-${TRACE}-${SPAN}-01-what-comes-later`,
      undefined,
      { traceparent: `cc-${TRACE}-${SPAN}-01-what-comes-later` },
    ],
    [whole, 'x'.repeat(513), { traceparent: whole }],
    [whole, 'a=1\r\nx-evil: 1', { traceparent: whole }],
    [`${whole}-more`, undefined, undefined],
    [whole.toUpperCase(), undefined, undefined],
    [`ff-${TRACE}-${SPAN}-01`, undefined, undefined],
    [`00-${'0'.repeat(32)}-${SPAN}-01`, undefined, undefined],
    [`00-${TRACE}-${'0'.repeat(16)}-01`, undefined, undefined],
    [`cc-${TRACE}-${SPAN}-01-a\nb`, undefined, undefined],
    [`cc-${TRACE}-${SPAN}-01-${'a'.repeat(300)}`, undefined, undefined],
    [[whole], undefined, undefined],
    ['', undefined, undefined],
  ])('%j with %j is %j', (traceparent, tracestate, expected) => {
    expect(parseCallerTrace(traceparent, tracestate)).toEqual(expected);
  });
});
