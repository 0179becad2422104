import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { digestOf, type JsonObject } from '../../codec/index.ts';
import { environmentFileText } from '../../governor/index.ts';
import { TestWorkloadApi } from '../../mesh/workload-api/workload-api.test-support.ts';
import type { OutcomeReceipt } from '../../receipt/index.ts';
import { govern } from './function.ts';
import { SdkWorld, unopenedWrit } from './sdk.test-support.ts';
import type { CallContext, Writ } from './writ.ts';
import { WritDenied } from './writ-denied.ts';

type Code = (args: JsonObject, context: CallContext) => unknown;

const READ = 'sdk://app/read_file';
const WRITE = 'sdk://app/write%20file';

/** Both functions do what the test at hand says, and leave a trace. */
let ran: JsonObject[] = [];
let code: Code = () => 'done';

function governed(writ: Writ) {
  const body: Code = (args, context) => {
    ran.push(args);
    return code(args, context);
  };
  return {
    read: govern(
      writ,
      {
        name: 'read_file',
        description: 'Reads a file',
        inputSchema: z.object({ path: z.string(), head: z.int().optional(), deep: z.any().optional() }),
        annotations: { readOnlyHint: true },
      },
      body,
    ),
    write: govern(
      writ,
      { name: 'write file', inputSchema: { type: 'object', properties: { path: { type: 'string' } } } },
      body,
    ),
  };
}

const any = { constraint_type: 'wildcard' };
const optional = { constraint_type: 'wildcard', optional: true };

describe('govern', () => {
  let world: SdkWorld;
  let writ: Writ;
  let read: ReturnType<typeof governed>['read'];
  let write: ReturnType<typeof governed>['write'];

  beforeAll(async () => {
    world = await SdkWorld.create(governed);
    await world.grant({ [READ]: { path: any, head: optional, deep: optional } });
    writ = await world.open();
    ({ read, write } = governed(writ));
  });

  afterEach(() => {
    ran = [];
    code = () => 'done';
  });

  afterAll(async () => {
    await writ?.close();
    world?.dispose();
  });

  async function lastOutcome(): Promise<OutcomeReceipt | undefined> {
    return (await world.entries(writ)).outcomes.at(-1);
  }

  /** The denial of a call, which left its receipt and no trace. */
  async function denialOf(call: Promise<unknown>): Promise<WritDenied> {
    const error = await call.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof WritDenied)) throw new Error(`not denied: ${String(error)}`);
    const { decisions } = await world.entries(writ);
    expect(decisions.at(-1)).toMatchObject({ id: error.executionId, verdict: 'deny', code: error.code });
    return error;
  }

  it('runs what is permitted, once, with the permit durable before', async () => {
    let recorded: unknown;
    code = async (_args, { execution }) => {
      recorded = (await world.entries(writ)).decisions.find(({ id }) => id === execution.id)?.verdict;
      return { text: 'hello' };
    };
    expect(await read({ path: '/a' })).toEqual({ text: 'hello' });
    expect(recorded).toBe('permit');
    expect(ran).toEqual([{ path: '/a' }]);
    expect(await lastOutcome()).toMatchObject({ status: 'succeeded', result: { bytes: 16 } });
  });

  it('does not run what is denied', async () => {
    const error = await denialOf(write({ path: '/a' }));
    expect(error.code).toBe('scope.tool_not_granted');
    expect(error.message).toContain(`(scope.tool_not_granted, receipt ${error.executionId})`);
    expect(error.wasStarted).toBe(false);
    expect(ran).toEqual([]);
  });

  it('runs what was decided on, whatever becomes of the arguments meanwhile', async () => {
    const args = { path: '/a', deep: { list: [1] } };
    const call = read(args);
    args.path = '/etc/shadow';
    args.deep.list.push(2);
    await call;
    expect(ran).toEqual([{ path: '/a', deep: { list: [1] } }]);
  });

  it('hands over arguments that nobody can change', async () => {
    code = (args) => {
      expect(() => Object.assign(args, { path: '/etc/shadow' })).toThrow(TypeError);
      expect(() => Object.assign(args.deep as object, { a: 2 })).toThrow(TypeError);
    };
    await read({ path: '/a', deep: { a: 1 } });
    expect(ran).toHaveLength(1);
    expect(await lastOutcome()).toMatchObject({ status: 'succeeded', note: 'no result' });
  });

  it('lets nothing that was not given appear by a polluted prototype', async () => {
    const prototype = Object.prototype as unknown as Record<string, unknown>;
    prototype.head = 1_000_000;
    try {
      code = (args) => args.head ?? 'absent';
      expect(await read({ path: '/a' })).toBe('absent');
    } finally {
      delete prototype.head;
    }
  });

  it('is not tricked by setters on a polluted prototype', async () => {
    Object.defineProperty(Object.prototype, 'path', {
      configurable: true,
      get: () => '/etc/shadow',
      set: () => {},
    });
    try {
      code = (args) => args.path;
      expect(await read(JSON.parse('{"path":"/a"}'))).toBe('/a');
    } finally {
      delete (Object.prototype as unknown as Record<string, unknown>).path;
    }
  });

  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  let reads = 0;
  const doubleFaced = new Proxy(
    { path: '/a' },
    {
      getOwnPropertyDescriptor: () => {
        reads += 1;
        return { value: reads > 1 ? '/etc/shadow' : '/a', enumerable: true, configurable: true };
      },
    },
  );
  class Path {
    path = '/a';
  }
  const inherited = Object.create({ path: '/a' });

  it.each<[string, unknown]>([
    ['undefined', { path: '/a', head: undefined }],
    ['NaN', { path: '/a', head: Number.NaN }],
    ['infinity', { path: '/a', head: Number.POSITIVE_INFINITY }],
    ['a function', { path: () => '/a' }],
    ['a symbol', { path: Symbol('a') }],
    ['a member named by a symbol', { path: '/a', [Symbol('b')]: 1 }],
    ['a BigInt', { path: '/a', head: 1n }],
    ['a Date', { path: new Date(0) }],
    ['a Map', { path: '/a', deep: new Map() }],
    ['bytes', { path: Buffer.from('/a') }],
    ['a getter', Object.defineProperty({}, 'path', { enumerable: true, get: () => '/a' })],
    ['a hidden member', Object.defineProperty({ path: '/a' }, 'head', { value: 1 })],
    ['a class', new Path()],
    ['inherited members', inherited],
    ['a proxy', doubleFaced],
    ['a proxy within', { path: '/a', deep: [doubleFaced] }],
    ['__proto__', JSON.parse('{"path":"/a","deep":{"__proto__":{"a":1}}}')],
    ['a lone surrogate', { path: '\ud800' }],
    // biome-ignore lint/suspicious/noSparseArray: that is what is tested
    ['a hole', { path: '/a', deep: [1, , 2] }],
    ['an array with members', { path: '/a', deep: Object.assign([1], { more: 1 }) }],
    ['an array of a class', { path: '/a', deep: new (class extends Array {})() }],
    ['no object', 'path'],
    ['an array', ['/a']],
    ['nothing', undefined],
  ])('denies %s among the arguments', async (_name, args) => {
    expect((await denialOf(read(args as JsonObject))).code).toBe('request.malformed');
    expect(ran).toEqual([]);
    expect(reads).toBe(0);
  });

  it.each<[string, unknown]>([
    ['a cycle', { path: '/a', deep: cyclic }],
    ['depth', { path: '/a', deep: JSON.parse(`${'['.repeat(70)}${']'.repeat(70)}`) }],
    ['size', { path: 'x'.repeat(1_500_001) }],
    [
      'one array many times over',
      { path: '/a', deep: Array.from({ length: 400 }, () => Array(400).fill(0)) },
    ],
  ])('bounds the arguments: %s', async (_name, args) => {
    expect((await denialOf(read(args as JsonObject))).code).toBe('request.too_large');
    expect(ran).toEqual([]);
  });

  it('denies an argument that the artifact does not name, and one of the wrong type', async () => {
    expect((await denialOf(read({ path: '/a', mode: 'w' }))).code).toBe('scope.arguments_not_granted');
    expect((await denialOf(read({ path: 7 }))).code).toBe('policy.evaluation_failed');
    expect(ran).toEqual([]);
  });

  it('passes on what the function throws, and keeps it out of the log', async () => {
    const error = new Error('no such table: SECRET-TABLE');
    code = () => {
      throw error;
    };
    await expect(read({ path: '/a' })).rejects.toBe(error);
    const outcome = await lastOutcome();
    expect(outcome).toMatchObject({ status: 'failed', note: 'the function threw', result: { bytes: 34 } });
    expect(JSON.stringify(await world.entries(writ))).not.toContain('SECRET');
  });

  it.each<[string, unknown, object]>([
    ['a class', new Path(), { note: 'the result is not JSON' }],
    ['a cycle', cyclic, { note: 'the result is too large to digest' }],
    ['bytes', Buffer.from('abc'), { note: 'the result is bytes', result: { bytes: 3 } }],
    ['nothing', undefined, { note: 'no result' }],
    ['a proxy', new Proxy({}, {}), { note: 'the result is not JSON' }],
    ['null', null, { result: { bytes: 4 } }],
  ])('says so of a result that is %s, and hands it on as it is', async (_name, result, facts) => {
    code = () => result;
    expect(await read({ path: '/a' })).toBe(result);
    expect(await lastOutcome()).toMatchObject({ status: 'succeeded', ...facts });
  });

  describe('lineage', () => {
    async function parentOf(id: string): Promise<string | undefined> {
      return (await world.entries(writ)).decisions.find((decision) => decision.id === id)?.lineage?.parent;
    }

    it('names the execution that a call is made in as its parent, however deep', async () => {
      const ids: Record<string, string> = {};
      code = async (args, { execution }) => {
        ids[String(args.path)] = execution.id;
        if (args.path === '/outer') {
          await Promise.all([
            new Promise((resolve) => setImmediate(resolve)).then(() => read({ path: '/left' })),
            read({ path: '/right' }),
          ]);
        }
        if (args.path === '/right') await read({ path: '/innermost' });
      };
      await read({ path: '/outer' });
      expect(await parentOf(ids['/outer'] ?? '')).toBeUndefined();
      expect(await parentOf(ids['/left'] ?? '')).toBe(ids['/outer']);
      expect(await parentOf(ids['/right'] ?? '')).toBe(ids['/outer']);
      expect(await parentOf(ids['/innermost'] ?? '')).toBe(ids['/right']);
    });

    it('takes a parent that is named instead, or none', async () => {
      const ids: string[] = [];
      code = async (args, { execution }) => {
        ids.push(execution.id);
        if (args.path === '/outer') {
          await read({ path: '/root' }, { parent: null });
          await read({ path: '/child' }, { parent: ids[1] });
        }
      };
      await read({ path: '/outer' });
      expect(await parentOf(ids[1] ?? '')).toBeUndefined();
      expect(await parentOf(ids[2] ?? '')).toBe(ids[1]);
    });

    it('denies a parent that nobody knows', async () => {
      expect((await denialOf(read({ path: '/a' }, { parent: 'nobody' }))).code).toBe(
        'lineage.parent_unknown',
      );
      expect(ran).toEqual([]);
    });
  });

  describe('when the caller gives up', () => {
    it('beforehand, nothing is asked for', async () => {
      const { decisions } = await world.entries(writ);
      const reason = new Error('too late');
      await expect(read({ path: '/a' }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      expect((await world.entries(writ)).decisions).toHaveLength(decisions.length);
      expect(ran).toEqual([]);
    });

    it('while it is decided, the function does not run', async () => {
      const abort = new AbortController();
      const call = read({ path: '/a' }, { signal: abort.signal });
      abort.abort();
      await expect(call).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
      expect(ran).toEqual([]);
      expect(await lastOutcome()).toMatchObject({ status: 'failed', note: 'stopped before it started' });
    });

    it('while it runs, the function is told and no longer waited for', async () => {
      const abort = new AbortController();
      let told: AbortSignal | undefined;
      code = (_args, { signal }) => {
        told = signal;
        abort.abort(new Error('enough'));
        return new Promise(() => {});
      };
      await expect(read({ path: '/a' }, { signal: abort.signal })).rejects.toThrow('enough');
      expect(told?.aborted).toBe(true);
      expect(await lastOutcome()).toMatchObject({ status: 'unknown', note: 'cancelled by the caller' });
    });
  });

  it('refuses a second tool of one name that is described otherwise', () => {
    expect(() => govern(writ, { name: 'read_file', inputSchema: {} }, () => 1)).toThrow(TypeError);
    for (const inputSchema of [undefined, 'text', z.object({ at: z.date() }), z.string(), []]) {
      expect(() => govern(unopenedWrit(), { name: 'odd', inputSchema }, () => 1)).toThrow('inputSchema');
    }
  });

  it('says which tools there are, for policy', () => {
    const { server, tools } = writ.manifest();
    expect(server).toBe('app');
    expect(tools.map(({ id }) => id)).toEqual([READ, WRITE]);
    expect(tools[0]?.definition).toMatchObject({
      name: 'read_file',
      inputSchema: { type: 'object', required: ['path'] },
      annotations: { readOnlyHint: true },
    });
  });
});

describe('openWrit', () => {
  let world: SdkWorld;

  beforeAll(async () => {
    world = await SdkWorld.create(governed);
  });

  afterAll(() => world?.dispose());

  let opened: Writ | undefined;
  async function open(options: Parameters<SdkWorld['open']>[0] = {}): Promise<Writ> {
    opened = await world.open(options);
    return opened;
  }

  afterEach(async () => {
    ran = [];
    code = () => 'done';
    await opened?.close();
    opened = undefined;
  });

  it('rejects where there is no trust domain', async () => {
    await expect(world.open({ home: '/nonexistent' })).rejects.toThrow('run "writ init" first');
  });

  it('leaves nothing open where it cannot be opened: no stream of the Workload API, no log', async () => {
    await world.grant({ [READ]: {} });
    const api = await TestWorkloadApi.start();
    try {
      const ended = new Promise((resolve) => {
        api.answers.FetchWITSVID = (stream) => {
          stream.on('cancelled', resolve);
          stream.write({ svids: [] });
        };
      });
      const unmeasured = () => Promise.reject(new Error('unmeasured'));
      await expect(world.open({ measure: unmeasured, workload: { endpoint: api.endpoint } })).rejects.toThrow(
        'unmeasured',
      );
      await ended;
    } finally {
      api.close();
    }
    await expect(world.open({ workload: 'here' as never })).rejects.toThrow(TypeError);
    const writ = await open();
    await governed(writ).read({ path: '/a' });
    // Were it still open, this would be in the log of a second instance.
    expect((await world.entries(writ)).decisions.at(-1)).toMatchObject({ verdict: 'permit', tool: READ });
  });

  it.each([
    ['without an artifact', 'none', 'artifact.missing'],
    ['with one that has expired', 'expired', 'artifact.expired'],
    ['with one for somebody else', 'elsewhere', 'artifact.audience_mismatch'],
  ])('%s, denies every call on record', async (_name, artifact, code) => {
    const long = Math.floor(Date.now() / 1000) - 7200;
    await world.grant({ [READ]: {} }, { iatSeconds: long, expSeconds: long + 3600 }, 'expired');
    await world.grant({ [READ]: {} }, { audiences: [world.home.audience('other')] }, 'elsewhere');
    const writ = await open({ artifact });
    const { read } = governed(writ);
    await expect(read({ path: '/a' })).rejects.toThrow(expect.objectContaining({ code }));
    expect((await world.entries(writ)).decisions.at(-1)).toMatchObject({ verdict: 'deny', code });
    expect(ran).toEqual([]);
  });

  it('denies a tool whose definition is not the pinned one', async () => {
    await world.grant({ [READ]: {} });
    const writ = await open();
    const read = govern(writ, { name: 'read_file', description: 'Now also writes', inputSchema: {} }, () =>
      ran.push({}),
    );
    await expect(read({ path: '/a' })).rejects.toThrow(
      expect.objectContaining({ code: 'environment.tool_changed' }),
    );
    expect(ran).toEqual([]);
  });

  it('stops what ran as long as the artifact allows, and tells the function', async () => {
    await world.grant({ [READ]: {} }, { writ: { use: { maxDurationSeconds: 1 } } }, 'brief');
    const writ = await open({ artifact: 'brief' });
    const { read } = governed(writ);
    let told: AbortSignal | undefined;
    code = (_args, { signal }) => {
      told = signal;
      return new Promise(() => {});
    };
    await expect(read({ path: '/a' })).rejects.toThrow(
      expect.objectContaining({ code: 'scope.use_exhausted', wasStarted: true }),
    );
    expect(told?.aborted).toBe(true);
    expect((await world.entries(writ)).outcomes.at(-1)).toMatchObject({ status: 'terminated' });
  });

  it('stops what ran when of what it is bound to something changes, as the domain has it measured', async () => {
    const components = [{ kind: 'configuration', name: 'writ.yaml', digest: digestOf('absent') }];
    writeFileSync(world.home.environmentFile, environmentFileText({ measure: ['configuration'] }));
    await world.grant({ [READ]: {} }, { writ: { environment: { components } } }, 'bound');
    const { read } = governed(await open({ artifact: 'bound' }));
    code = () => {
      writeFileSync(join(world.home.folder, 'writ.yaml'), '# changed\n', { mode: 0o600 });
      return new Promise(() => {});
    };
    const stopped = { code: 'environment.mismatch', wasStarted: true };
    await expect(read({ path: '/a' })).rejects.toThrow(expect.objectContaining(stopped));
    await expect(read({ path: '/a' })).rejects.toThrow(expect.objectContaining({ code: stopped.code }));
    expect(ran).toHaveLength(1);
    rmSync(world.home.environmentFile);
    rmSync(join(world.home.folder, 'writ.yaml'));
  });

  it('closing stops what runs', async () => {
    await world.grant({ [READ]: {} });
    const writ = await world.open();
    const { read } = governed(writ);
    const started = Promise.withResolvers<void>();
    code = () => {
      started.resolve();
      return new Promise(() => {});
    };
    const call = read({ path: '/a' });
    await started.promise;
    await Promise.all([
      expect(call).rejects.toThrow('whether the call took effect is unknown'),
      started.promise.then(() => writ.close()),
    ]);
    expect(ran).toHaveLength(1);
  });
});
