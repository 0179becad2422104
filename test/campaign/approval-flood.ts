/**
 * Calls that need an approval, in a flood: `node test/campaign/approval-flood.ts [--requests 5000] [--short]`. An honest request
 * from before the flood is still found, granted and used; listing stays bounded; a flood of grants with wrong signatures is
 * refused and leaves nothing in the governance log.
 */
import { parseArgs } from 'node:util';
import { isDenial } from '../../src/denial/index.ts';
import {
  ApprovalRequests,
  connectGovernor,
  openGovernanceFollower,
  recordApproval,
  statementFor,
} from '../../src/governor/index.ts';
import { TestApprover } from '../support/test-approver.ts';
import { must, nowSeconds, TestDomain } from '../support/trust-domain.ts';
import { Acknowledged, auditLoad } from './load-audit.ts';
import { LoadDaemon, rounded } from './load-daemon.ts';
import { report } from './load-report.ts';

const IN_FLIGHT = 32;
const { values } = parseArgs({
  options: { requests: { type: 'string', default: '5000' }, short: { type: 'boolean', default: false } },
});
const requests = values.short ? 1500 : Number(values.requests);
const invalidGrants = Math.floor(requests / 10);

const domain = await TestDomain.create(`
permit (principal, action in Writ::Action::"read", resource);
@approval("operator:1") permit (principal, action in Writ::Action::"write", resource);
`);
const ada = await TestApprover.enrolled(domain.home, 'ada', 'operator');
const stranger = new TestApprover(ada.subject);
const daemon = await LoadDaemon.start(domain.home);
try {
  const point = must(await connectGovernor({ home: domain.home, name: 'flood', components: [] }));
  if (point === undefined) throw new Error('no daemon');
  const acknowledged = new Acknowledged();
  const { violations } = acknowledged;
  const { audience } = point;
  let effects = 0;
  const ask = async (chain: readonly string[], path: string, expected: string) => {
    const outcome = await point.governor.run(domain.call(chain, { audience, args: { path } }), async () => {
      effects += 1;
      return { status: 'succeeded', value: 1 };
    });
    acknowledged.take(outcome);
    const code = outcome.verdict === 'permit' ? 'permit' : outcome.denial.code;
    if (code !== expected) violations.push(`${path} was answered ${code}`);
    return outcome.executionId;
  };
  const chain = [domain.issue({ audiences: [audience] })];
  const honest = await ask(chain, '/honest', 'approval.required');
  const before = await daemon.sample(true);
  const startedMs = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (next < requests) {
        next += 1;
        await ask(chain, `/flood/${next}`, 'approval.required');
      }
    }),
  );
  const floodMs = performance.now() - startedMs;
  const after = await daemon.sample(true);

  const governance = () => {
    const follower = must(openGovernanceFollower(domain.home));
    follower.close();
    return follower.view;
  };
  const nowMs = Date.now();
  const book = must(ApprovalRequests.open(domain.home));
  const listedMs = performance.now();
  const listed = must(await book.list(governance().state, { nowMs, sinceMs: nowMs - 3_600_000 }));
  const listMs = Math.round(performance.now() - listedMs);
  const request = must(book.find(honest, governance().state, nowMs));
  const verdict = { approver: ada.subject, role: 'operator', decision: 'approve' } as const;
  const sizeBefore = governance().size;
  const by = () => ({ actor: ada.subject, atSeconds: nowSeconds() });
  const codes = new Map<string, number>();
  for (let at = 0; at < invalidGrants; at += 1) {
    const statement = must(statementFor(domain.home, request, verdict, nowSeconds()));
    const refused = await recordApproval(domain.home, statement, stranger.sign(statement), by());
    const code = isDenial(refused) ? refused.code : 'recorded';
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  if (codes.has('recorded')) violations.push('a grant with a wrong signature was recorded');
  if (governance().size !== sizeBefore) violations.push('refused grants stand in the governance log');
  await ask(chain, '/honest', 'approval.required');
  const statement = must(statementFor(domain.home, request, verdict, nowSeconds()));
  const granted = await recordApproval(domain.home, statement, ada.sign(statement), by());
  if (isDenial(granted)) violations.push(`the honest grant: ${granted.code} ${granted.detail}`);
  await ask(chain, '/honest', 'permit');
  await ask(chain, '/honest', 'approval.required');
  if (effects !== 1) violations.push(`${effects} effects for one grant`);
  book.close();
  const end = await daemon.sample(true);
  if (end.heap - before.heap > 32) violations.push(`the heap grew to ${end.heap} MiB`);
  await point.close();
  await daemon.stop();
  const audit = auditLoad(domain.home, 'flood', acknowledged);
  report(
    {
      requests,
      perSecond: Math.round(requests / (floodMs / 1000)),
      listed: listed.length,
      listMs,
      invalidGrants,
      grantCodes: Object.fromEntries(codes),
      effects,
      memory: { before: rounded(before), after: rounded(after), end: rounded(end) },
      codes: Object.fromEntries(acknowledged.codes),
      audit: { ...audit, violations: undefined },
    },
    audit.violations,
  );
} finally {
  await daemon.stop();
  domain.dispose();
}
