import { isDenial } from '../denial/index.ts';
import { withRequests } from './approval-source.ts';
import { requestJson, tellRequest } from './approval-text.ts';
import { denied } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import type { Session } from './session.ts';

export const define: Define = (command, act) => {
  command
    .description(
      `Show what an approval would permit: the tool, the exact arguments (unsealed, with invisible characters shown as escapes), who
asks and on what authority, what is needed and who has signed.`,
    )
    .argument('<request>', 'id, as "writ approval list" shows it')
    .addHelpText('after', examples('$ writ approval show 019ac1de-…'))
    .action(act(show));
};

async function show(session: Session, id: string): Promise<void> {
  const { output, surroundings } = session;
  const home = await session.openHome();
  const nowMs = surroundings.clockMs();
  await withRequests(home, (requests, state) => {
    const request = requests.find(id, state, nowMs);
    if (isDenial(request)) throw denied(request, 'list them with "writ approval list --all"');
    const action = requests.show(request);
    output.answer({ ...requestJson(request), asked: action }, () =>
      tellRequest(output, home, request, action, nowMs),
    );
  });
}
