import { createServer as createHttp, type Server } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isDenial } from '../../denial/index.ts';
import { mustRead, type Ran, runConfined, testConfiner } from './confined.test-support.ts';
import type { Confiner } from './confiner.ts';
import { destinationText, parseDestination, parseNetwork } from './network-grant.ts';
import { NetworkProxy, type NetworkProxyOptions } from './network-proxy.ts';
import { interfaceAddresses, isPublicAddress } from './public-address.ts';

const MIB = 1024 * 1024;

describe('destinations', () => {
  it.each([
    ['Example.org:443', 'example.org:443'],
    ['127.0.0.1:80', '127.0.0.1:80'],
    ['[::0001]:80', '[::1]:80'],
  ])('have one spelling: %s', (text, canonical) => {
    const found = parseDestination(text);
    expect(found && destinationText(found)).toBe(canonical);
  });

  it.each([
    '*.example.org:443',
    'example.org',
    'example.org:0',
    'example.org:65536',
    'example.org:0443',
    'example.org.:443',
    'a@example.org:443',
    'http://example.org:443',
    '127.1:80',
    '0x7f.1:80',
    '2130706433:80',
    '017700000001:80',
    '::1:80',
    '[::1%25lo]:80',
    'ex\0ample.org:443',
    ':443',
  ])('are nothing else: %j', (text) => {
    expect(parseDestination(text)).toBeUndefined();
  });

  it('name this machine by address only', () => {
    expect(parseNetwork(['localhost:80'])).toMatchObject({ code: 'scope.arguments_not_granted' });
    expect(parseNetwork(['a.localhost:80'])).toMatchObject({ code: 'scope.arguments_not_granted' });
  });

  it.each([
    ...[
      '127.0.0.1',
      '10.1.2.3',
      '172.31.0.1',
      '192.168.1.1',
      '169.254.169.254',
      '100.100.100.200',
      '0.0.0.0',
    ],
    ...['224.0.0.1', '255.255.255.255', '168.63.129.16', '::', '::1', 'fe80::1', 'fd00:ec2::254', 'ff02::1'],
    ...[
      '::ffff:8.8.8.8',
      '::ffff:127.0.0.1',
      '64:ff9b::7f00:1',
      '2002:7f00:1::',
      '2001:0:1::',
      'fec0::1',
      'x',
    ],
  ])('within are not public: %s', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each(['8.8.8.8', '172.32.0.1', '2606:4700::1111'])('on the internet are: %s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});

/** A server that says what reached it, and sends as much as it is asked for. */
async function startServer(): Promise<{
  readonly server: Server;
  readonly port: number;
  readonly seen: string[];
  readonly bodies: string[];
}> {
  const seen: string[] = [];
  const bodies: string[] = [];
  const server = createHttp((request, response) => {
    seen.push(`${request.method} ${request.headers.host} ${request.url}`);
    let body = '';
    request.on('data', (chunk) => {
      body += String(chunk);
    });
    request.once('end', () => bodies.push(body));
    const bytes = Number(/^\/bytes\/(\d+)$/.exec(request.url ?? '')?.[1] ?? 0);
    response.end(bytes > 0 ? Buffer.alloc(bytes, 'x') : 'hello\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port, seen, bodies };
}

describe('the proxy', () => {
  let origin: Awaited<ReturnType<typeof startServer>>;
  const proxies: NetworkProxy[] = [];
  beforeAll(async () => {
    origin = await startServer();
  });
  afterAll(() => {
    for (const proxy of proxies) proxy.close();
    origin.server.closeAllConnections();
    origin.server.close();
  });

  /** A proxy, and what it answers to bytes. */
  async function open(network: readonly string[], options: Partial<NetworkProxyOptions> = {}) {
    const granted = parseNetwork(network);
    if (isDenial(granted)) throw new Error(granted.detail);
    const proxy = new NetworkProxy({ granted, maxBytes: MIB, ...options });
    proxies.push(proxy);
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    proxy.serve(listener);
    const { port } = listener.address() as AddressInfo;
    const say = (text: string): Promise<string> =>
      new Promise((resolve) => {
        let answer = '';
        const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(text));
        socket.on('data', (chunk) => {
          answer += chunk.toString('latin1');
        });
        socket.on('error', () => undefined);
        socket.once('close', () => resolve(answer));
      });
    return { proxy, say };
  }

  const here = (): string => `127.0.0.1:${origin.port}`;
  const GET = 'GET /inner HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n';

  it('passes on to what is granted, by CONNECT and by absolute URI, and counts', async () => {
    const { proxy, say } = await open([here()]);
    expect(await say(`CONNECT ${here()} HTTP/1.1\r\n\r\n${GET}`)).toMatch(/^HTTP\/1.1 200 .*hello/s);
    expect(
      await say(`POST http://${here()}/x?y HTTP/1.1\r\nHost: ${here()}\r\nContent-Length: 3\r\n\r\nabc`),
    ).toMatch(/^HTTP\/1.1 200 .*hello/s);
    expect(origin.seen).toContain(`POST ${here()} /x?y`);
    const [facts, ...others] = proxy.facts();
    expect(others).toEqual([]);
    expect(facts).toMatchObject({ to: here(), allowed: 2, refused: 0 });
    expect(facts?.bytesOut).toBeGreaterThan(GET.length);
    expect(facts?.bytesIn).toBeGreaterThan(12);
  });

  it('refuses every other way to say it, and nothing arrives', async () => {
    const { proxy, say } = await open([here()]);
    const before = origin.seen.length;
    for (const [text, status] of [
      ['CONNECT other.example:443 HTTP/1.1\r\n\r\n', 403],
      [`CONNECT 127.0.0.1:${origin.port + 1} HTTP/1.1\r\n\r\n`, 403],
      [`CONNECT localhost:${origin.port} HTTP/1.1\r\n\r\n`, 403],
      [`CONNECT 127.1:${origin.port} HTTP/1.1\r\n\r\n`, 400],
      [`CONNECT [::ffff:127.0.0.1]:${origin.port} HTTP/1.1\r\n\r\n`, 403],
      [`GET / HTTP/1.1\r\nHost: ${here()}\r\n\r\n`, 400],
      [`GET http://${here()}/ HTTP/1.1\r\nHost: other.example\r\n\r\n`, 400],
      [`GET http://${here()}/ HTTP/1.1\r\nHost: ${here()}\r\nHost: other.example\r\n\r\n`, 400],
      [`GET http://other.example/ HTTP/1.1\r\nHost: ${here()}\r\n\r\n`, 400],
      [`GET http://${here()}@other.example/ HTTP/1.1\r\n\r\n`, 400],
      [`GET https://${here()}/ HTTP/1.1\r\n\r\n`, 400],
      [`GET ftp://${here()}/ HTTP/1.1\r\n\r\n`, 400],
    ] as const) {
      expect(await say(text)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    }
    // Two lengths of one body: no proxy and server must read different requests from it.
    const body = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
    expect(
      await say(
        `POST http://${here()}/ HTTP/1.1\r\nHost: ${here()}\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n${body}`,
      ),
    ).not.toContain('200');
    expect(origin.seen.length).toBe(before);
    expect(proxy.facts().find(({ to }) => to === 'other.example:443')).toMatchObject({
      allowed: 0,
      refused: 1,
    });
  });

  it('sends no body without its length: what it passes on is one request', async () => {
    const { say } = await open([here()]);
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: inner.example\r\nContent-Length: 0\r\n\r\n';
    const chunked = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
    const before = origin.seen.length;
    for (const connection of [
      'content-length',
      'close, Content-Length',
      'x,content-length ,y',
      'transfer-encoding',
      'close\r\nConnection: content-length',
      'host',
    ]) {
      for (const [framing, body] of [
        [`Content-Length: ${smuggled.length}`, smuggled],
        ['Transfer-Encoding: chunked', chunked],
      ]) {
        const head = `GET http://${here()}/outer HTTP/1.1\r\nHost: ${here()}\r\nConnection: ${connection}`;
        expect(await say(`${head}\r\n${framing}\r\n\r\n${body}`)).toMatch(/^HTTP\/1.1 400 /);
      }
    }
    expect(origin.seen.slice(before)).toEqual([]);
    // As it is meant to be said, the body arrives as one.
    for (const method of ['GET', 'DELETE', 'POST']) {
      for (const [framing, body] of [
        [`Content-Length: ${smuggled.length}`, smuggled],
        ['Transfer-Encoding: chunked', chunked],
      ]) {
        const head = `${method} http://${here()}/outer HTTP/1.1\r\nHost: ${here()}\r\nConnection: x-other`;
        await say(`${head}\r\n${framing}\r\nX-Other: 1\r\n\r\n${body}`);
        expect(origin.seen.at(-1)).toBe(`${method} ${here()} /outer`);
        expect(origin.bodies.at(-1)).toBe(smuggled);
      }
    }
    expect(origin.seen.some((line) => line.includes('smuggled'))).toBe(false);
  });

  it('takes no coding off a body without saying so, either way', async () => {
    const { say, proxy } = await open([here()]);
    const zipped = 'what gzip made of it';
    const before = origin.seen.length;
    for (const [coding, answer] of [
      ['gzip, chunked', /^HTTP\/1.1 501 /],
      ['gzip\r\nTransfer-Encoding: chunked', /^HTTP\/1.1 501 /],
      ['gzip', /^HTTP\/1.1 501 /],
      // No message at all.
      ['chunked, chunked', /^$/],
    ] as const) {
      const head = `POST http://${here()}/ HTTP/1.1\r\nHost: ${here()}\r\nTransfer-Encoding: ${coding}`;
      const body = `${zipped.length.toString(16)}\r\n${zipped}\r\n0\r\n\r\n`;
      expect(await say(`${head}\r\n\r\n${body}`)).toMatch(answer);
    }
    expect(origin.seen.length).toBe(before);
    expect(proxy.facts()).toMatchObject([{ to: here(), allowed: 0, bytesOut: 0 }]);
    const answering = createServer((socket) => {
      socket.on('error', () => undefined);
      const chunk = `${zipped.length.toString(16)}\r\n${zipped}\r\n0\r\n\r\n`;
      socket.once('data', () => {
        socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n${chunk}`, 'latin1');
      });
    });
    await new Promise<void>((resolve) => answering.listen(0, '127.0.0.1', resolve));
    const there = `127.0.0.1:${(answering.address() as AddressInfo).port}`;
    const other = await open([there]);
    expect(await other.say(`GET http://${there}/ HTTP/1.1\r\nHost: ${there}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 502 /,
    );
    answering.close();
  });

  it('keeps few of the destinations that it refused, and of their names what an auditor needs', async () => {
    const { proxy, say } = await open(['granted.a.very.long.name.example:443']);
    for (let n = 0; n < 40; n += 1) await say(`CONNECT secret-${n}.example:443 HTTP/1.1\r\n\r\n`);
    expect(proxy.facts().length).toBe(17);
    expect(proxy.facts().find(({ to }) => to === '*')).toMatchObject({ refused: 24 });
    // What a program could spell out in names: the contents of a file that it was granted to read.
    const secret = Buffer.from('-----BEGIN PRIVATE KEY-----').toString('hex');
    const other = await open(['granted.a.very.long.name.example:443'], { resolve: async () => [] });
    for (const to of [
      `${secret}.${secret}.a.example.org:443`,
      `${secret}.example:443`,
      `a.${'b'.repeat(63)}:443`,
      'Host.Example.ORG:8443',
      '[2001:0db8::1]:443',
      'granted.a.very.long.name.example:443',
      'x\u202e.example:443',
      '<b>.example:443',
      '=cmd.example:443',
      '%1b[31m.example:443',
    ]) {
      await other.say(`CONNECT ${to} HTTP/1.1\r\n\r\n`);
      await other.say(`GET http://${to}/ HTTP/1.1\r\n\r\n`);
    }
    const names = other.proxy.facts().map(({ to }) => to);
    expect(names).toEqual([
      '*',
      '*.a.example.org:443',
      '*.example:443',
      '[2001:db8::1]:443',
      'granted.a.very.long.name.example:443',
      'host.example.org:8443',
    ]);
  });

  it('connects to the address that it checked, and to no name that leads inside', async () => {
    const dialed: string[] = [];
    const answers = [['8.8.8.8'], ['127.0.0.1'], ['8.8.8.8', '169.254.169.254'], ['::ffff:10.0.0.1'], []];
    let asked = 0;
    const { say } = await open(['name.example:80'], {
      resolve: async () => answers[asked++] ?? [],
      dial(address) {
        dialed.push(address);
        return connect({ host: '127.0.0.1', port: origin.port });
      },
    });
    const request = `CONNECT name.example:80 HTTP/1.1\r\n\r\n${GET}`;
    expect(await say(request)).toContain('hello');
    for (const status of [403, 403, 403, 502]) {
      expect(await say(request)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    }
    expect(dialed).toEqual(['8.8.8.8']);
  });

  it('connects to no name that leads to this machine, whose own addresses may look public', async () => {
    let own: readonly string[] = ['127.0.0.1', '8.8.4.4', '2606:4700:0:0::42', 'fe80::1'];
    const answers = [['8.8.4.4'], ['8.8.8.8', '8.8.4.4'], ['2606:4700::42'], ['8.8.4.4'], ['8.8.4.4']];
    const dialed: string[] = [];
    let asked = 0;
    const { proxy, say } = await open(['name.example:80', '8.8.4.4:80'], {
      resolve: async () => answers[asked++] ?? [],
      ownAddresses: () => own,
      dial(address) {
        dialed.push(address);
        return connect({ host: '127.0.0.1', port: origin.port });
      },
    });
    const request = `CONNECT name.example:80 HTTP/1.1\r\n\r\n${GET}`;
    for (const _ of [1, 2, 3]) expect(await say(request)).toMatch(/^HTTP\/1.1 403 /);
    expect(dialed).toEqual([]);
    expect(proxy.facts()).toMatchObject([{ to: 'name.example:80', allowed: 0, refused: 3 }]);
    // As an address it was granted; and what was this machine's may be another's later.
    expect(await say(`CONNECT 8.8.4.4:80 HTTP/1.1\r\n\r\n${GET}`)).toContain('hello');
    own = ['what no address is'];
    expect(await say(request)).toMatch(/^HTTP\/1.1 403 /);
    own = [];
    expect(await say(request)).toContain('hello');
    expect(dialed).toEqual(['8.8.4.4', '8.8.4.4']);
    expect(interfaceAddresses()).toContain('127.0.0.1');
  });

  it('passes on no more bytes than were granted, either way', async () => {
    const { proxy, say } = await open([here()], { maxBytes: 200_000 });
    const got = await say(`GET http://${here()}/bytes/500000 HTTP/1.1\r\nHost: ${here()}\r\n\r\n`);
    expect(got.length).toBeLessThan(201_000);
    expect(await say(`CONNECT ${here()} HTTP/1.1\r\n\r\n`)).toMatch(/^HTTP\/1.1 429 /);
    const [facts] = proxy.facts();
    expect((facts?.bytesIn ?? 0) + (facts?.bytesOut ?? 0)).toBeLessThanOrEqual(200_000);
    const before = origin.seen.length;
    const other = await open([here()], { maxBytes: 100 });
    await other.say(`GET http://${here()}/${'a'.repeat(200)} HTTP/1.1\r\nHost: ${here()}\r\n\r\n`);
    expect(origin.seen.length).toBe(before);
  });
});

const found = testConfiner();

describe.skipIf(found === undefined)('a network in the sandbox', () => {
  const confiner = found as Confiner;
  const node = mustRead(process.execPath);
  let origin: Awaited<ReturnType<typeof startServer>>;
  beforeAll(async () => {
    origin = await startServer();
  });
  afterAll(() => {
    origin.server.closeAllConnections();
    origin.server.close();
  });

  async function run(argv: readonly string[], options: { program?: typeof node; closed?: boolean } = {}) {
    const granted = parseNetwork([`127.0.0.1:${origin.port}`]);
    if (isDenial(granted)) throw new Error(granted.detail);
    const proxy = new NetworkProxy({ granted, maxBytes: MIB });
    const ran = await runConfined(confiner, argv, {
      ...(options.program === undefined ? {} : { program: options.program }),
      onListener(listener) {
        proxy.serve(listener);
        // As when what serves it dies.
        if (options.closed === true) proxy.close();
      },
    });
    proxy.close();
    if (isDenial(ran)) throw new Error(ran.detail);
    return { ran, proxy };
  }

  it('starts the very program, with its own environment and signals, and no descriptor more', async () => {
    const script =
      'ls /proc/self/fd | wc -l; ls /proc/self/fd >/dev/null; grep -E "SigIgn|Seccomp:" /proc/self/status; grep -E "open files|file size" /proc/self/limits; env | sort; exit 7';
    const { ran } = await run(['-c', script]);
    const plain = (await runConfined(confiner, ['-c', script])) as Ran;
    expect(ran.exitCode).toBe(7);
    expect(ran.out).toMatch(/^Max open files +1024 +1024 /m);
    expect(ran.out).toMatch(/^Max file size +1073741824 +1073741824 /m);
    expect(ran.out).toContain('HTTP_PROXY=http://127.0.0.1:3128\n');
    expect(ran.out).not.toContain('NODE_CHANNEL_FD');
    expect(ran.out.split('\n').filter((line) => !/_proxy=|NODE_USE/i.test(line))).toEqual(
      plain.out.split('\n'),
    );
  });

  it('leads to what is granted and nowhere else, whatever is tried', async () => {
    const script = `
      const say = (name, value) => console.log(name, value);
      const { connect } = require('node:net');
      const tcp = (options) => new Promise((resolve) => { const s = connect(options, () => { resolve('connected'); s.destroy(); }); s.once('error', (e) => resolve(e.code)); });
      const main = async () => {
        say('fetch', await fetch('http://127.0.0.1:${origin.port}/from-inside').then((r) => r.text()).catch((e) => e.message));
        say('other', await fetch('http://example.org/').then((r) => r.status).catch(() => 'refused'));
        say('direct', await tcp({ host: '127.0.0.1', port: ${origin.port} }));
        say('raw', await tcp({ host: '8.8.8.8', port: 53 }));
        say('abstract', await tcp({ path: '\\0writ-test' }));
        say('dns', await require('node:dns').promises.resolve4('secret.example').catch((e) => e.code));
        say('udp', await new Promise((resolve) => { const u = require('node:dgram').createSocket('udp4'); u.send('secret', 53, '8.8.8.8', (e) => { u.close(); resolve(e ? e.code : 'sent'); }); }));
      };
      main();`;
    const { ran, proxy } = await run(['-e', script], { program: node });
    expect(Object.fromEntries(ran.out.split('\n').map((line) => line.split(' ')))).toMatchObject({
      fetch: 'hello',
      other: 'refused',
      direct: 'ECONNREFUSED',
      raw: 'ENETUNREACH',
      abstract: expect.stringMatching(/EAFNOSUPPORT|EINVAL|EPERM/),
      dns: expect.stringMatching(/ECONNREFUSED|ETIMEOUT|ENOTFOUND/),
      udp: 'ENETUNREACH',
    });
    expect(origin.seen.some((line) => line.endsWith('/from-inside'))).toBe(true);
    expect(proxy.facts()).toMatchObject([
      { to: `127.0.0.1:${origin.port}`, allowed: 1 },
      { to: 'example.org:80', allowed: 0, refused: 1, bytesOut: 0, bytesIn: 0 },
    ]);
  });

  it('is gone with what serves it', async () => {
    const before = origin.seen.length;
    const { ran } = await run(
      [
        '-e',
        `fetch('http://127.0.0.1:${origin.port}/').then((r) => console.log(r.status), () => console.log('none'))`,
      ],
      { program: node, closed: true },
    );
    expect(ran.out).toBe('none\n');
    expect(origin.seen.length).toBe(before);
  });
});
