// A planner has stock counted by workers. It hands each of them a part of its own authority, signed by itself: the issuer is not
// asked. A worker can do its part and no more, for a plan and for nobody else, and when the planner is stopped, so are they.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { newUuidV7 } from '../../src/artifact/index.ts';
import { isDenial } from '../../src/denial/index.ts';
import { type CallOptions, type GovernedFunction, govern, type Writ } from '../../src/index.ts';
import { contract } from '../support/contracts.ts';
import { playAlone } from '../support/play-alone.ts';
import { type Attempt, type PlayOptions, type Report, Scenario } from '../support/scenario.ts';
import { forgeChild } from './forge.ts';

const EXAMPLE = import.meta.dirname;

interface Shelf {
  readonly shelf: string;
}

export async function play(options: PlayOptions): Promise<Report> {
  const scene = await Scenario.begin({ example: EXAMPLE, title: 'Distributed orchestration' }, options);
  const stock = join(scene.folder, 'stock');
  const counts = join(scene.folder, 'counts');
  mkdirSync(counts);
  for (const shelf of ['north/nuts', 'north/bolts', 'south/screws']) {
    mkdirSync(join(stock, shelf), { recursive: true });
    writeFileSync(join(stock, shelf, 'box-1'), '');
    writeFileSync(join(stock, shelf, 'box-2'), '');
  }

  // The root: the planner may plan, and have anything below the stock counted. It may be handed on once.
  for (const agent of ['planner', 'north', 'south', 'helper']) await scene.agent(agent);
  const below = (root: string) => ({ constraint_type: 'path_containment', root });
  const points = ['planner', 'north', 'south'];
  const tools = {
    'sdk://planner/plan_count': { warehouse: { constraint_type: 'exact', value: stock } },
    'sdk://north/count_stock': { shelf: below(stock) },
    'sdk://south/count_stock': { shelf: below(stock) },
  };
  await scene.issue('planner', { agent: 'planner', points, tools, maxDepth: 1 });
  await scene.issue('another-plan', { agent: 'planner', points, tools, maxDepth: 1 });

  // Its parts: to each worker the shelves of its own house, for a quarter of an hour.
  const expSeconds = scene.nowSeconds + 900;
  for (const worker of ['north', 'south']) {
    scene.derive(worker, {
      from: 'planner',
      by: 'planner',
      agent: worker,
      tools: { [`sdk://${worker}/count_stock`]: { shelf: below(join(stock, worker)) } },
      expSeconds,
    });
  }

  const another = await scene.open('planner', 'another-plan');
  const planOther = governPlan(another);
  const look = () => `counted: ${readdirSync(counts).sort().join(', ') || 'nothing'}`;
  const attempt = (
    what: string,
    at: string,
    call: Attempt['call'],
    expect: Attempt['expect'],
    sees: string,
  ) => scene.attempt({ what, at, call, expect, look, sees: `counted: ${sees}` });
  const count = (worker: GovernedFunction<Shelf, void>, shelf: string, call?: CallOptions) => () =>
    worker({ shelf: join(stock, shelf) }, call);

  scene.part('A plan, and what follows from it');
  const otherPlan = await attempt(
    'plan something else, under another artifact',
    'planner',
    () => planOther({ warehouse: stock }),
    'permit',
    'nothing',
  );
  await another.close();
  const planner = governPlan(await scene.open('planner', 'planner'));
  const northPoint = await scene.open('north', 'north');
  const north = governCount(northPoint, counts);
  const plan = await attempt(
    'plan the count',
    'planner',
    () => planner({ warehouse: stock }),
    'permit',
    'nothing',
  );
  const parent = plan.receipt;
  await attempt('north counts nuts', 'north', count(north, 'north/nuts', { parent }), 'permit', 'nuts');

  scene.part('No more than its part');
  await attempt(
    'north counts what is south’s',
    'north',
    count(north, 'south/screws', { parent }),
    'scope.arguments_not_granted',
    'nuts',
  );
  await attempt(
    'north counts without a plan',
    'north',
    count(north, 'north/bolts'),
    'policy.not_permitted',
    'nuts',
  );
  await attempt(
    'north names a plan that never was',
    'north',
    count(north, 'north/bolts', { parent: newUuidV7() }),
    'lineage.parent_unknown',
    'nuts',
  );
  await attempt(
    'north counts for the plan of another artifact',
    'north',
    count(north, 'north/bolts', { parent: otherPlan.receipt }),
    'lineage.root_mismatch',
    'nuts',
  );

  scene.part('Nobody hands on more than they have');
  const handedOn = scene.derive('helper', { from: 'north', by: 'north', agent: 'helper' });
  if (!isDenial(handedOn)) throw new Error('a part was handed on a second time');
  scene.tell(
    `north hands its part to a helper: refused (${handedOn.code}), so it forges one with its own key`,
  );
  await northPoint.close();
  const [, own = ''] = scene.chainOf('north');
  for (const [name, claims] of Object.entries({
    'of a depth that was not granted': { del_depth: 2, del_max_depth: 1 },
    'that says it may be deeper': { del_depth: 2, del_max_depth: 2 },
  })) {
    const forged = forgeChild(own, scene.keyOf('north'), (parentClaims) => ({
      ...parentClaims,
      ...claims,
      jti: newUuidV7(),
      iss: scene.keyOf('north').publicKey.thumbprintUri,
      par_hash: hashOf(own),
      cnf: { jwk: { ...scene.keyOf('helper').publicKey.jwk } },
    }));
    scene.store('helper', [...scene.chainOf('north'), forged]);
    const helper = await scene.open('north', 'helper');
    await attempt(
      `the helper counts with a token ${name}`,
      'north',
      count(governCount(helper, counts), 'north/bolts', { parent }),
      'artifact.attenuation_invalid',
      'nuts',
    );
    await helper.close();
  }

  scene.part('The planner is stopped, and with it whoever works for it');
  const started = Promise.withResolvers<void>();
  const south = governCount(await scene.open('south', 'south'), counts, (signal) => {
    started.resolve();
    return once(signal, 'abort');
  });
  await attempt(
    'south is counting when the planner’s artifact is revoked',
    'south',
    async () => {
      const counting = south({ shelf: join(stock, 'south/screws') }, { parent });
      counting.catch(() => undefined);
      await started.promise;
      await scene.writ('artifact', 'revoke', '--artifact', 'planner', '--reason', 'wrong warehouse');
      return counting;
    },
    'stopped: revocation.revoked',
    'nuts',
  );
  await attempt(
    'south begins anew',
    'south',
    count(south, 'south/screws', { parent }),
    'revocation.revoked',
    'nuts',
  );

  return scene.end();
}

function governPlan(writ: Writ) {
  return govern(
    writ,
    contract(EXAMPLE, 'planner', 'plan_count'),
    (_: { warehouse: string }) => 'north, south',
  );
}

function governCount(
  writ: Writ,
  counts: string,
  takeTime: (signal: AbortSignal) => Promise<unknown> = async () => undefined,
): GovernedFunction<Shelf, void> {
  return govern(writ, contract(EXAMPLE, writ.name, 'count_stock'), async ({ shelf }: Shelf, { signal }) => {
    const boxes = readdirSync(shelf).length;
    await takeTime(signal);
    signal.throwIfAborted();
    writeFileSync(join(counts, basename(shelf)), String(boxes));
  });
}

function hashOf(token: string): string {
  return createHash('sha256')
    .update(token.slice(0, token.lastIndexOf('.')))
    .digest('base64url');
}

if (import.meta.main) await playAlone(EXAMPLE, play);
