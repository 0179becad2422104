import { isDenial } from '../denial/index.ts';
import { type BundleReport, isSigstoreBundle, verifyAttestation, verifyBundle } from '../receipt/index.ts';
import { parseVkey } from '../tlog/index.ts';
import type { ExitCode } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { readInputFile } from './input-file.ts';
import type { Session } from './session.ts';
import { bad, faint, good, warn } from './text.ts';

interface Options {
  readonly logKey: string;
}

const MAX_BUNDLE_BYTES = 32 * 1024 * 1024;
const MAX_KEY_BYTES = 4096;

export const define: Define = (command, act) => {
  command
    .description(
      `Verify an evidence bundle offline, with nothing but the public key of the log it comes from:
that decision and outcome are in the log, belong together, and that the evidence is what the decision stood on.`,
    )
    .argument('<bundle>', 'the bundle, as "writ receipt bundle" or "writ receipt export" writes it')
    .requiredOption('--log-key <file>', "the log's verification key (execution/<log>/log.vkey)")
    .addHelpText(
      'after',
      examples(
        '$ writ receipt verify bundle.json --log-key fs.vkey --json',
        '{"verified":true,"problems":[],…}',
      ),
    )
    .action(act(verify));
};

function verify({ output, surroundings: { cwd } }: Session, file: string, options: Options): ExitCode {
  const report = reportOn(cwd, file, options.logKey);
  const { verified, problems, withheld, decision, outcome } = report;
  const answer = {
    verified,
    problems,
    withheld,
    ...(decision && {
      execution: decision.id,
      verdict: decision.verdict,
      tool: decision.tool,
      ...(decision.code === undefined ? {} : { code: decision.code }),
    }),
    ...(outcome && { outcome: outcome.status }),
  };
  output.answer(answer, () => {
    output.line(verified ? good('verified') : bad('not verified'));
    if (decision !== undefined) {
      const { id, verdict, tool, code } = decision;
      output.line(faint('execution  '), id);
      output.line(faint('decision   '), verdict, ' ', tool, code === undefined ? '' : ` ${code}`);
    }
    if (outcome !== undefined) output.line(faint('outcome    '), outcome.status);
    for (const problem of problems) output.line(bad('✗ '), problem);
    for (const part of withheld) output.line(warn('– '), `${part} is withheld: not wrong, and not checked`);
  });
  return verified ? 0 : 1;
}

function reportOn(cwd: string, file: string, keyFile: string): BundleReport {
  const refused = (problem: string): BundleReport => ({ verified: false, problems: [problem], withheld: [] });
  const keyBytes = readInputFile(cwd, keyFile, MAX_KEY_BYTES);
  if (isDenial(keyBytes)) return refused(`log key: ${keyBytes.detail}`);
  const logKey = parseVkey(Buffer.from(keyBytes).toString('utf8').trim());
  if (isDenial(logKey)) return refused(`log key: ${logKey.detail}`);
  const bundle = readInputFile(cwd, file, MAX_BUNDLE_BYTES);
  if (isDenial(bundle)) return refused(`bundle: ${bundle.detail}`);
  return isSigstoreBundle(bundle) ? verifyAttestation(bundle, logKey) : verifyBundle(bundle, logKey);
}
