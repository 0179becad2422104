// A clerk that is a program pays suppliers. It may pay small amounts alone, larger ones when two people have signed exactly that
// payment, and all of them together no more than the day's budget. A payment that was seen on the wire is worth nothing.

import { join } from 'node:path';
import { govern } from '../../src/index.ts';
import { contract } from '../support/contracts.ts';
import { playAlone } from '../support/play-alone.ts';
import { type Expected, type PlayOptions, type Report, Scenario } from '../support/scenario.ts';
import { Ledger, type Payment } from './ledger.ts';
import { openTappedPayments } from './wiretap.ts';

const EXAMPLE = import.meta.dirname;

export async function play(options: PlayOptions): Promise<Report> {
  const scene = await Scenario.begin(
    { example: EXAMPLE, title: 'Financial execution', at: '2026-11-02T09:00:00Z' },
    options,
  );
  const ledger = new Ledger(join(scene.folder, 'ledger.jsonl'));

  // People: two of finance, and one who isn't.
  await scene.approver('ada', 'finance');
  await scene.approver('bob', 'finance');
  await scene.approver('mallory', 'marketing');

  // The artifact says whom the clerk may pay, how much at once, and how much in all until it ends.
  await scene.agent('clerk');
  await scene.issue('clerk-payments', {
    agent: 'clerk',
    points: ['payments'],
    tools: {
      'sdk://payments/pay': {
        to: { constraint_type: 'one_of', values: ['paper-mill', 'print-shop'] },
        amount: { constraint_type: 'range', min: 1, max: 500_000 },
        order: { constraint_type: 'string_pattern', pattern: 'PO-*' },
      },
    },
    writ: {
      governance: { purpose: 'suppliers, November', policy: { id: 'financial-execution' } },
      use: { budgets: [{ argument: 'amount', total: 600_000 }] },
    },
  });

  const writ = await scene.open('payments', 'clerk-payments');
  const pay = govern(writ, contract(EXAMPLE, 'payments', 'pay'), (payment: Payment) => ledger.pay(payment));
  const attempt = (what: string, payment: Payment, expect: Expected, sees: string) =>
    scene.attempt({
      what,
      at: 'payments',
      call: () => pay(payment),
      expect,
      look: () => ledger.summary(),
      sees,
    });

  scene.part('Within the limits of the artifact');
  const paper = { to: 'paper-mill', amount: 40_000, order: 'PO-17' };
  await attempt('pay 400.00 to the paper mill', paper, 'permit', '1 paid, 400.00');
  await attempt(
    'pay somebody who is not a supplier',
    { ...paper, to: 'mallory' },
    'scope.arguments_not_granted',
    '1 paid, 400.00',
  );
  await attempt(
    'pay 5,000.01, a cent above the limit',
    { ...paper, amount: 500_001 },
    'scope.arguments_not_granted',
    '1 paid, 400.00',
  );
  await attempt(
    'pay a negative amount',
    { ...paper, amount: -40_000 },
    'scope.arguments_not_granted',
    '1 paid, 400.00',
  );

  scene.part('Above 1,000.00 two people of finance sign');
  const machine = { to: 'print-shop', amount: 450_000, order: 'PO-18' };
  const request = await attempt('pay 4,500.00 for a machine', machine, 'approval.required', '1 paid, 400.00');
  await scene.approve(request, 'ada', '--reason', 'ordered it myself');
  await attempt('again, with one signature', machine, 'approval.required', '1 paid, 400.00');
  await scene.refused('somebody of marketing signs', [
    'approval',
    'grant',
    request.receipt,
    '--key',
    'mallory',
  ]);
  await scene.approve(request, 'bob', '--reason', 'matches the offer');
  await attempt(
    'the same people, but another order number',
    { ...machine, order: 'PO-19' },
    'approval.required',
    '1 paid, 400.00',
  );
  await attempt('again, with both signatures', machine, 'permit', '2 paid, 4900.00');
  await attempt('once more: signatures are spent', machine, 'approval.required', '2 paid, 4900.00');

  scene.part('All payments together stay within the budget of 6,000.00');
  await attempt('pay 1,000.00', { ...paper, amount: 100_000 }, 'permit', '3 paid, 5900.00');
  await attempt(
    'pay 100.01 of the 100.00 left',
    { ...paper, amount: 10_001 },
    'scope.use_exhausted',
    '3 paid, 5900.00',
  );

  scene.part('Somebody listens on the wire, and sends again what they heard');
  await writ.close();
  const tapped = await openTappedPayments(scene, 'clerk-payments', (payment) => ledger.pay(payment));
  const heard = (what: string, call: () => Promise<unknown>, expect: Expected, sees: string) =>
    scene.attempt({ what, at: 'payments', call, expect, look: () => ledger.summary(), sees });
  await heard('pay 10.00', () => tapped.pay({ ...paper, amount: 1_000 }), 'permit', '4 paid, 5910.00');
  await heard('the same bytes again', () => tapped.sendAgain(), 'replay.detected', '4 paid, 5910.00');
  await tapped.close();

  return scene.end();
}

if (import.meta.main) await playAlone(EXAMPLE, play);
