import { isDenial } from '../denial/index.ts';
import { findDrift } from '../environment/index.ts';
import type { EnrolledEnvironment } from '../governance/index.ts';
import { findTpmDrift, type Home, readAttesterFile } from '../governor/index.ts';
import type { ExitCode } from './cli-error.ts';
import { denied, failure } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { addMeasuringOptions, type MeasuringOptions, measureHere } from './env-measuring.ts';
import { readGovernance } from './governance.ts';
import type { Session } from './session.ts';
import { bad, faint, good, warn } from './text.ts';

export const define: Define = (command, act) => {
  addMeasuringOptions(command)
    .description(
      `Measure the runtime again and name what differs from what is enrolled. Where a TPM is enrolled it is asked for a
quote, which is verified as a decision would. Exits with 1 where anything differs. Give the program as it was given to
"writ env enroll".`,
    )
    .argument('<name>', 'the enrolled environment')
    .argument('[command...]', 'the program, as it would be started')
    .addHelpText(
      'after',
      examples('$ writ env diff build-host', '  changed  node/v24.21.0  sha256:61…  →  sha256:9f…'),
    )
    .action(act(diff));
};

async function diff(
  session: Session,
  name: string,
  words: readonly string[],
  options: MeasuringOptions,
): Promise<ExitCode> {
  const { output } = session;
  const home = await session.openHome();
  const enrolled = readGovernance(home).state.environmentByName(name);
  if (enrolled === undefined)
    throw failure('not_found', `no environment ${name} is enrolled`, 'see "writ env show"');
  const { measurement } = await measureHere(session, home, words, options);
  const drift = findDrift(enrolled.components, measurement.components);
  const tpm = await tpmDrift(home, enrolled);
  const isSame = drift.length === 0 && (tpm === undefined || tpm.length === 0);
  const answer = {
    ...{ name, same: isSame, enrolled: enrolled.digest, now: measurement.digest },
    drift: drift.map((one) => ({ ...one })),
    ...(tpm === undefined ? {} : { tpm: [...tpm] }),
  };
  output.answer(answer, () => {
    for (const { change, kind, name: own, before, now } of drift) {
      const tone = change === 'changed' ? warn : bad;
      output.line(
        tone(change.padEnd(9)),
        `${kind}/${own}  `,
        faint(`${before ?? 'nothing'} → ${now ?? 'nothing'}`),
      );
    }
    for (const problem of tpm ?? []) output.line(bad('TPM      '), problem);
    if (isSame)
      output.line(good('the same '), measurement.digest, tpm === undefined ? '' : faint('  its TPM agrees'));
  });
  return isSame ? 0 : 1;
}

/** Undefined where the environment has no TPM, or that is another machine's. */
async function tpmDrift(
  home: Home,
  { name, attester, digest }: EnrolledEnvironment,
): Promise<readonly string[] | undefined> {
  const file = readAttesterFile(home.attesterFile);
  if (isDenial(file)) throw denied(file);
  if (attester === undefined || file === undefined || file.name !== name) return undefined;
  return findTpmDrift(file, attester, digest);
}
