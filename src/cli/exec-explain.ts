import { findArgumentViolation, parseConstraintMap, readToken } from '../artifact/index.ts';
import { isJsonObject } from '../codec/index.ts';
import { type Denial, isDenial } from '../denial/index.ts';
import {
  type Confiner,
  closePaths,
  type ExecAsk,
  type ExecTool,
  PROXY_VARIABLES,
  resolveAsk,
  runCanaries,
} from '../enforce/exec/index.ts';
import { CONFINEMENT_LAYERS } from '../environment/index.ts';
import type { Home } from '../governor/index.ts';
import type { ExitCode } from './cli-error.ts';
import type { Session } from './session.ts';
import { bad, faint, good } from './text.ts';

interface Explained {
  readonly home: Home;
  readonly ask: ExecAsk;
  readonly tool: ExecTool;
  readonly confiner: Confiner | Denial;
  readonly chain: readonly string[] | Denial;
  /** Where the artifact is looked for. */
  readonly file: string;
}

/** Says what a call would ask for and what speaks against it, as far as that can be told without deciding. */
export async function explainExec(session: Session, explained: Explained): Promise<ExitCode> {
  const { output, surroundings } = session;
  const { home, ask, tool, confiner, chain, file } = explained;
  const request = resolveAsk(ask, surroundings.cwd, [home.folder]);
  const canaries = isDenial(confiner) ? undefined : await runCanaries(confiner);
  const layers = CONFINEMENT_LAYERS.map((layer) => [layer, canaries?.states.get(layer) ?? 'absent'] as const);
  const asked = isDenial(request) ? undefined : request.args;
  if (!isDenial(request)) closePaths(request.paths);
  const problems = [
    ...(isDenial(request) ? [request] : []),
    ...(isDenial(confiner) ? [confiner] : []),
    ...(isDenial(chain) ? [chain] : asked === undefined ? [] : violations(chain, tool.id, asked)),
  ];
  const open = layers.filter(([, state]) => state !== 'holds');
  output.answer(
    {
      tool: tool.id,
      arguments: asked ?? null,
      artifact: file,
      problems: problems.map(({ code, detail }) => ({ code, detail })),
      confinement: Object.fromEntries(layers),
    },
    () => {
      output.line(faint('tool          '), tool.id);
      output.line(faint('artifact      '), file);
      for (const [name, value] of Object.entries(asked ?? {})) {
        output.line(faint(name.padEnd(14)), typeof value === 'string' ? value : JSON.stringify(value));
      }
      if (!isDenial(request) && request.network.length > 0) {
        output.line(
          faint('proxy         '),
          [...PROXY_VARIABLES].map(([name, value]) => `${name}=${value}`).join(' '),
        );
      }
      for (const { code, detail } of problems) output.line(bad('against it    '), detail, faint(`  ${code}`));
      if (problems.length === 0)
        output.line(good('granted       '), 'every token of the artifact grants these arguments');
      output.line(
        ...(open.length === 0
          ? [good('confined      '), `${layers.length} layers were tried and hold`]
          : [bad('confined      '), open.map(([layer, state]) => `${layer} ${state}`).join(', ')]),
      );
    },
  );
  return problems.length === 0 && open.length === 0 ? 0 : 1;
}

/** Tokens are read, not verified: the decision does that. */
function violations(
  chain: readonly string[],
  tool: string,
  args: Parameters<typeof findArgumentViolation>[1],
): readonly Pick<Denial, 'code' | 'detail'>[] {
  return chain.flatMap((compact): readonly Pick<Denial, 'code' | 'detail'>[] => {
    const token = readToken(compact);
    if (isDenial(token)) return [token];
    const map = token.toolsJson?.[tool];
    if (!isJsonObject(map)) return [{ code: 'scope.tool_not_granted', detail: `${tool} is not granted` }];
    const parsed = parseConstraintMap(map);
    if (isDenial(parsed)) return [parsed];
    const violation = findArgumentViolation(parsed, args);
    return violation === undefined ? [] : [violation];
  });
}
