import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isDenial } from '../denial/index.ts';
import { DEFAULT_TCTI, isTcti, type TpmRecord } from '../environment/index.ts';
import { isTestDomain, MAX_ENROLLED_COMPONENTS } from '../governance/index.ts';
import {
  appendGovernance,
  attesterFileText,
  DEFAULT_PCRS,
  enrollTpm,
  environmentFileText,
  type Home,
  isLocalName,
  isPersistentHandle,
  writeFileDurably,
} from '../governor/index.ts';
import { denied, failure, usageError } from './cli-error.ts';
import { collect, type Define, examples } from './command.ts';
import { parseDuration } from './duration.ts';
import { addMeasuringOptions, type MeasuringOptions, measureHere } from './env-measuring.ts';
import type { Session } from './session.ts';
import { faint, good, warn } from './text.ts';

interface Options extends MeasuringOptions {
  readonly tpm?: boolean;
  readonly tcti: string;
  readonly handle: string;
  readonly pcrs?: string;
  readonly ekRoot?: readonly string[];
  readonly ekIntermediate?: readonly string[];
  readonly maxAge: string;
  readonly laterBoots?: boolean;
}

export const define: Define = (command, act) => {
  addMeasuringOptions(command)
    .description(
      `Put the runtime as it is now on record under a name, so that "writ env diff" can tell what has changed, and have
"writ mcp" and the SDK measure what --measure names from now on.

With --tpm, the machine's TPM is enrolled as well: its maker must vouch for it (--ek-root), the key it signs with is
shown to be inside it, and its PCRs count as they are now. From then on quotes of it give the runtime the assurance
"tpm", which an artifact demands with --environment assurance=tpm. Needs tpm2-tools, and access to the TPM.`,
    )
    .argument('<name>', 'what it is called in this domain')
    .argument('[command...]', 'the program, as it would be started')
    .option('--tpm', "enroll this machine's TPM 2.0")
    .option('--tcti <tcti>', 'how tpm2-tools reach it', DEFAULT_TCTI)
    .option('--handle <handle>', 'where its attestation key is kept', '0x81015752')
    .option(
      '--pcrs <list>',
      `PCRs that must stay as they are, of the SHA-256 bank (default: ${DEFAULT_PCRS.join(',')})`,
    )
    .option('--ek-root <file>', 'certificate of a maker that is trusted, PEM or DER (repeatable)', collect)
    .option('--ek-intermediate <file>', 'certificate between a root and the TPM (repeatable)', collect)
    .option('--max-age <duration>', 'how long a quote counts', '5m')
    .option('--later-boots', 'count boots after this one as well, as long as the PCRs come out the same')
    .addHelpText(
      'after',
      examples(
        '$ writ env enroll build-host --measure machine,configuration',
        '$ writ env enroll build-host --tpm --ek-root infineon-rsa-root.pem --ek-intermediate infineon-ca-042.pem',
        '$ writ artifact issue --agent builder --tool mcp://… --environment assurance=tpm --environment maxAge=5m',
      ),
    )
    .action(act(enroll));
};

async function enroll(
  session: Session,
  name: string,
  words: readonly string[],
  options: Options,
): Promise<void> {
  const { output } = session;
  if (!isLocalName(name)) throw usageError(`"${name}" is no name`, 'use letters, digits and . _ -');
  if (!options.tpm && (options.ekRoot ?? options.ekIntermediate ?? options.pcrs) !== undefined) {
    throw usageError('--ek-root, --ek-intermediate and --pcrs are about a TPM', 'add --tpm');
  }
  const home = await session.openHome();
  const { measurement, collectors } = await measureHere(session, home, words, options);
  const { digest } = measurement;
  const components = measurement.components.map((one) => ({
    kind: one.kind,
    name: one.name,
    digest: one.digest,
  }));
  if (components.length > MAX_ENROLLED_COMPONENTS) {
    throw failure('too_many', `more than ${MAX_ENROLLED_COMPONENTS} components cannot be enrolled`);
  }
  const tpm = options.tpm === true ? await tpmOf(session, home, options) : undefined;
  const epoch = await appendGovernance(home, [
    {
      event: 'environment.enrolled',
      at: session.nowSeconds,
      actor: session.actor(home),
      ...{ name, digest, components },
      ...(tpm === undefined ? {} : { tpm }),
    },
  ]);
  if (isDenial(epoch)) throw denied(epoch);
  // Only now: what it names is enrolled.
  writeFileDurably(home.environmentFile, environmentFileText({ measure: collectors }));
  const { tcti, handle } = options;
  if (tpm !== undefined) writeFileDurably(home.attesterFile, attesterFileText({ name, tcti, handle }));
  const answer = { name, digest, components: components.length, ...(tpm === undefined ? {} : { tpm: true }) };
  output.answer(answer, () => {
    output.line(good('enrolled '), name, faint(`  ${components.length} components`));
    output.line(faint('environment  '), digest);
    if (tpm !== undefined) {
      output.line(
        faint('TPM          '),
        `PCRs ${tpm.pcrs.map(({ index }) => index).join(',')}, ${tpm.boot} boot`,
      );
      if (tpm.simulator === true) {
        output.line(warn('it is a program: its quotes count in this test domain alone, and prove nothing'));
      }
    }
    output.line(faint('next         '), `writ env diff ${name}`);
  });
}

async function tpmOf(session: Session, home: Home, options: Options): Promise<TpmRecord> {
  const { tcti, handle, pcrs, maxAge, laterBoots } = options;
  const { cwd } = session.surroundings;
  if (!isTcti(tcti)) throw usageError(`--tcti "${tcti}" names no TPM`, 'write it as device:/dev/tpmrm0');
  if (!isPersistentHandle(handle))
    throw usageError(`--handle "${handle}" is no persistent handle`, 'it begins with 0x81');
  const read = (files: readonly string[] = []) => files.map((file) => certificateOf(resolve(cwd, file)));
  const roots = read(options.ekRoot);
  if (roots.length === 0) {
    throw usageError('whose TPMs are trusted?', 'give the certificate of its maker with --ek-root FILE');
  }
  const maxAgeSeconds = parseDuration(maxAge, '--max-age');
  if (maxAgeSeconds > 86_400) throw usageError('--max-age is a day at most');
  const record = await enrollTpm({
    ...{ tcti, handle, maxAgeSeconds, roots },
    intermediates: read(options.ekIntermediate),
    pcrs: pcrs === undefined ? DEFAULT_PCRS : pcrs.split(',').map(Number),
    boot: laterBoots === true ? 'later' : 'exact',
    nowMs: session.surroundings.clockMs(),
    allowsSimulator: isTestDomain(home.domain),
  });
  if (isDenial(record)) throw denied(record);
  return record;
}

function certificateOf(path: string): Uint8Array {
  try {
    return new X509Certificate(readFileSync(path)).raw;
  } catch {
    throw usageError(`${path} is no certificate`);
  }
}
