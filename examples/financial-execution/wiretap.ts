import { createPresenter, type Presenter } from '../../src/artifact/index.ts';
import type { Action } from '../../src/decision/index.ts';
import { chooseGovernor } from '../../src/governor/index.ts';
import { govern, Writ, WritDenied } from '../../src/index.ts';
import { contract } from '../support/contracts.ts';
import { must } from '../support/must.ts';
import type { Scenario } from '../support/scenario.ts';
import type { Payment } from './ledger.ts';

/**
 * The same enforcement point, put together by hand, with somebody between the agent and the governor who keeps what is
 * presented: artifact and proof, everything but the key.
 */
export async function openTappedPayments(
  scene: Scenario,
  artifact: string,
  effect: (payment: Payment) => void,
) {
  const { home, clock } = scene;
  const opened = must(await chooseGovernor('never', { home, name: 'payments', components: [], clock }));
  const honest = must(
    createPresenter({
      chain: scene.chainOf(artifact),
      signer: scene.keyOf('clerk'),
      audience: opened.audience,
      nowSeconds: () => scene.nowSeconds,
    }),
  );
  let heard: Action | undefined;
  const presenter: Presenter = {
    grants: (tool) => honest.grants(tool),
    present(tool, args, parent) {
      const presentation = honest.present(tool, args, parent);
      heard = { tool, toolDigest: writ.addUnseen('pay').digest, args, presentation };
      return presentation;
    },
  };
  const writ = new Writ({
    governor: opened.governor,
    presenter,
    home: home.folder,
    name: 'payments',
    scheme: 'sdk',
    pinnedDigest: (id) => opened.pinnedDigest(id),
    onTools: (tools) => opened.setTools(tools),
    concludeLater: (executionId, end) => opened.concludeLater(executionId, end),
    close: () => opened.close(),
  });
  const pay = govern(writ, contract(import.meta.dirname, 'payments', 'pay'), effect);
  return {
    pay,
    async sendAgain(): Promise<void> {
      if (heard === undefined) throw new TypeError('nothing was heard yet');
      const { args } = heard;
      const outcome = await opened.governor.run(heard, async () => {
        effect({ to: String(args.to), amount: Number(args.amount), order: String(args.order) });
        return { status: 'succeeded', value: undefined };
      });
      if (outcome.verdict === 'deny') throw new WritDenied(outcome.denial, outcome);
    },
    close: () => writ.close(),
  };
}
