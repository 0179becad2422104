import { failure } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { readGovernance } from './governance.ts';
import type { Session } from './session.ts';
import { faint, warn } from './text.ts';

export const define: Define = (command, act) => {
  command
    .description('Show the environments that are enrolled, and of one what it consists of.')
    .argument('[name]', 'one of them')
    .addHelpText('after', examples('$ writ env show', '$ writ env show build-host'))
    .action(act(show));
};

async function show(session: Session, name: string | undefined): Promise<void> {
  const { output } = session;
  const { state } = readGovernance(await session.openHome());
  const enrolled = state.environments.filter((one) => !one.isRetired);
  if (name === undefined) {
    const listed = enrolled.map(({ name: own, digest, tpm, atSeconds, actor }) => ({
      ...{ name: own, digest, at: atSeconds, actor },
      tpm: tpm === undefined ? 'none' : tpm.simulator === true ? 'simulator' : 'tpm',
    }));
    output.answer({ environments: listed }, () => {
      output.table(
        ['NAME', 'DIGEST', 'TPM', 'BY'],
        listed.map(({ name: own, digest, tpm, actor }) => [
          own,
          digest,
          tpm === 'simulator' ? warn(tpm) : tpm,
          faint(actor),
        ]),
      );
    });
    return;
  }
  const one = enrolled.find((environment) => environment.name === name);
  if (one === undefined)
    throw failure('not_found', `no environment ${name} is enrolled`, 'see "writ env show"');
  const { digest, components, tpm } = one;
  output.answer(
    {
      ...{ name, digest, at: one.atSeconds, actor: one.actor },
      components: components.map((component) => ({ ...component })),
      ...(tpm === undefined ? {} : { tpm: { ...tpm, pcrs: tpm.pcrs.map((pcr) => ({ ...pcr })) } }),
    },
    () => {
      output.line(faint('environment  '), digest);
      output.line(faint('enrolled by  '), one.actor);
      if (tpm !== undefined) {
        const { boot, maxAgeSeconds, resetCount, restartCount, certificate, root } = tpm;
        if (tpm.simulator === true)
          output.line(warn('its TPM is a program: whoever runs it can make it say anything'));
        output.line(faint('TPM of       '), `certificate ${certificate}, root ${root}`);
        output.line(
          faint('boots        '),
          `${boot}, enrolled at reset ${resetCount}, restart ${restartCount}`,
        );
        output.line(faint('quotes       '), `count for ${maxAgeSeconds} s`);
        output.table(
          ['PCR', 'VALUE'],
          tpm.pcrs.map((pcr) => [String(pcr.index), pcr.digest]),
        );
      }
      output.line();
      output.table(
        ['KIND', 'NAME', 'DIGEST'],
        components.map((component) => [component.kind, component.name, component.digest]),
      );
    },
  );
}
