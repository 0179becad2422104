import { expect, test } from 'vitest';
import { isDenial } from '../../denial/index.ts';
import type { EnforcementPoints } from './enforcement-points.ts';
import { PointSessions } from './point-sessions.ts';

/** Sessions of a point that opens when it is let, as the first one of a log does. */
function waiting() {
  const gate = Promise.withResolvers<void>();
  const governor = { settle: async () => {}, reverify: async () => {} };
  const point = { openSession: () => ({ governor, end: async () => {} }) };
  const points = { open: () => gate.promise.then(() => point) } as unknown as EnforcementPoints;
  const sessions = new PointSessions(points);
  const open = () =>
    sessions.open({
      ...{ name: 'fs', components: [], measuredAtSeconds: 0, runtime: { isHere: true } },
      onTerminated: () => undefined,
    });
  return { sessions, open, letIn: () => gate.resolve() };
}

test('many who open a session at once get no more of them than there are', async () => {
  const { sessions, open, letIn } = waiting();
  const opening = Array.from({ length: 1030 }, open);
  letIn();
  const opened = await Promise.all(opening);
  expect(sessions.size).toBe(1024);
  expect(opened.filter((one) => isDenial(one))).toHaveLength(6);
});

test('what was opening when the daemon was told to end gets no session', async () => {
  const { sessions, open, letIn } = waiting();
  const opening = open();
  await sessions.drain(0);
  letIn();
  expect(await opening).toMatchObject({ code: 'log.unavailable' });
  expect(sessions.size).toBe(0);
});
