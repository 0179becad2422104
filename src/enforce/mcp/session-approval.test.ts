import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../codec/index.ts';
import { deny } from '../../denial/index.ts';
import { call, harness, lineOf, parseObject, READ_TOOL, readyHarness } from './session.test-support.ts';

const REQUIRED = deny('approval.required', '1 of role operator must approve');

const metaWith = (elicitation: JsonObject): JsonObject => ({
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': { elicitation },
});
const META = metaWith({ url: {} });

const read = (id: number, more: JsonObject = {}) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'read', arguments: { path: 'a', count: 9007199254740991 }, _meta: META, ...more },
});

/** A session whose calls need approval until `approved` says otherwise. */
async function waiting(consoleUrl = 'https://console.test/writ/') {
  const approval = { given: false };
  const h = harness({
    decide: () => (approval.given ? undefined : REQUIRED),
    ...(consoleUrl === '' ? {} : { consoleUrl }),
  });
  h.client({ jsonrpc: '2.0', id: 0, method: 'tools/list', params: { _meta: META } });
  h.listTools([READ_TOOL]);
  await h.settle();
  h.toUpstream.length = 0;
  return { h, approval };
}

const forwardedTo = (h: Awaited<ReturnType<typeof waiting>>['h']) => h.forwarded().map(parseObject);

describe('a call that needs approval', () => {
  it('is answered with where to have it approved, and forwarded once it is, without that answer', async () => {
    const { h, approval } = await waiting();
    h.client(read(1));
    await h.settle();
    const [run] = h.governor.runsOf('mcp://fs/tools/read');
    expect(h.answer(1)).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: {
        resultType: 'input_required',
        inputRequests: {
          'writ-approval': {
            method: 'elicitation/create',
            params: {
              mode: 'url',
              message: expect.any(String),
              url: `https://console.test/writ/approvals/${run?.id}`,
              elicitationId: run?.id,
            },
          },
        },
        requestState: `writ-approval:${run?.id}`,
        _meta: { 'writ/code': 'approval.required', 'writ/receipt': run?.id },
      },
    });
    expect(forwardedTo(h)).toEqual([]);
    approval.given = true;
    const answered = {
      inputResponses: { 'writ-approval': { action: 'accept' } },
      requestState: `writ-approval:${run?.id}`,
    };
    h.client(read(2, answered));
    await h.settle();
    // The repeated call is decided again, and what reaches the server is the call alone.
    expect(h.governor.runsOf('mcp://fs/tools/read')).toHaveLength(2);
    expect(forwardedTo(h)).toEqual([read(2)]);
    // And that answer is used up.
    h.client(read(3, answered));
    await h.settle();
    expect(h.answer(3)).toHaveProperty('error.data.code', 'request.malformed');
    expect(forwardedTo(h)).toHaveLength(1);
  });

  it('is asked again where the approval is still missing, also after it was declined', async () => {
    const { h } = await waiting();
    h.client(read(1));
    await h.settle();
    const [run] = h.governor.runs;
    const requestState = `writ-approval:${run?.id}`;
    h.client(read(2, { inputResponses: { 'writ-approval': { action: 'decline' } }, requestState }));
    await h.settle();
    expect(h.answer(2)).toHaveProperty('result.requestState', 'writ-approval:execution-2');
    expect(forwardedTo(h)).toEqual([]);
  });

  it('is an error where it answers a question of the upstream, whose state would be lost', async () => {
    const { h, approval } = await waiting();
    approval.given = true;
    h.client(read(1));
    await h.settle();
    const inputRequests = {
      name: { method: 'elicitation/create', params: { message: '?', requestedSchema: {} } },
    };
    h.upstream({
      jsonrpc: '2.0',
      id: 1,
      result: { resultType: 'input_required', inputRequests, requestState: 'its own' },
    });
    await h.settle();
    approval.given = false;
    h.client(read(2, { inputResponses: { name: { action: 'accept' } }, requestState: 'its own' }));
    await h.settle();
    expect(h.answer(2)).toHaveProperty('error.data.code', 'approval.required');
    // Nothing was used up: with the approval it goes through, answer and all.
    approval.given = true;
    const again = read(3, { inputResponses: { name: { action: 'accept' } }, requestState: 'its own' });
    h.client(again);
    await h.settle();
    expect(forwardedTo(h).at(-1)).toEqual(again);
  });

  it('cannot be forwarded by an answer that was not asked for', async () => {
    const { h, approval } = await waiting();
    h.client(read(1));
    await h.settle();
    approval.given = true;
    const requestState = 'writ-approval:execution-1';
    const accepted = { 'writ-approval': { action: 'accept' } };
    const forged: JsonObject[] = [
      { inputResponses: accepted, requestState: 'writ-approval:execution-9' },
      { inputResponses: { ...accepted, name: { action: 'accept', content: { secret: 'x' } } }, requestState },
      { inputResponses: accepted, requestState, arguments: { path: 'b' } },
    ];
    for (const [at, more] of forged.entries()) {
      h.client(read(10 + at, more));
      await h.settle();
      expect(h.answer(10 + at)).toHaveProperty('error.data.code', 'request.malformed');
    }
    expect(forwardedTo(h)).toEqual([]);
  });

  it.each<[string, JsonObject, string]>([
    ['a client that can show no URL', metaWith({}), 'https://console.test'],
    ['a client that shows forms alone', metaWith({ form: {} }), 'https://console.test'],
    ['a gateway that knows no console', META, ''],
  ])('is an error that names the request: %s', async (_name, meta, consoleUrl) => {
    const { h } = await waiting(consoleUrl);
    h.client(read(1, { _meta: meta }));
    await h.settle();
    expect(h.answer(1)).toHaveProperty('error.data', {
      code: 'approval.required',
      receipt: 'execution-1',
      request: 'execution-1',
    });
  });

  it('is an error that names the request in the older era, and can be repeated as it is', async () => {
    const approval = { given: false };
    const h = await readyHarness({
      decide: () => (approval.given ? undefined : REQUIRED),
      consoleUrl: 'https://console.test',
    });
    h.client(call(1, 'read', { path: 'a' }));
    await h.settle();
    expect(h.answer(1)).toMatchObject({
      error: { code: -32003, data: { code: 'approval.required', request: 'execution-1' } },
    });
    approval.given = true;
    const again = call(2, 'read', { path: 'a' });
    h.client(again);
    await h.settle();
    expect(h.forwarded().at(-1)).toBe(lineOf(again).toString().trim());
  });
});
