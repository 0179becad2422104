import { type Denial, deny, isDenial } from '../denial/index.ts';
import { type EvidenceReport, verifyEvidence } from '../governor/index.ts';
import { type BundleKeys, isSigstoreBundle, MAX_BUNDLE_BYTES, verifyAttestation } from '../receipt/index.ts';
import { type NoteVerifier, parseVkey, parseWitnessPolicy } from '../tlog/index.ts';
import { type BundleSummary, summaryOf, tellExecution } from './bundle-report.ts';
import { type ExitCode, usageError } from './cli-error.ts';
import { collect, type Define, examples } from './command.ts';
import { readInputFile } from './input-file.ts';
import type { Session } from './session.ts';
import { bad, faint, good, warn } from './text.ts';

interface Options {
  readonly logKey?: readonly string[];
  readonly governanceKey?: string;
  readonly witnessPolicy?: string;
}

const MAX_KEY_BYTES = 4096;
const MAX_POLICY_BYTES = 128 * 1024;

export const define: Define = (command, act) => {
  command
    .description(
      `Verify an evidence bundle offline, with nothing but the public key of the log it comes from: that decisions and
outcomes are in their logs, that the evidence is what they stood on, and that each decision, made again on it, comes
out the same. What is missing or altered is named.`,
    )
    .argument(
      '<bundle>',
      'the bundle, as "writ receipt bundle", "writ lineage bundle" or "writ receipt export" writes it',
    )
    .option('--log-key <file>', "the log's verification key (execution/<log>/log.vkey; repeatable)", collect)
    .option('--governance-key <file>', "the key that the domain's governance log must be of (a vkey)")
    .option('--witness-policy <file>', 'who must have cosigned every checkpoint (C2SP tlog-policy)')
    .addHelpText(
      'after',
      examples(
        '$ writ receipt verify bundle.json --log-key fs.vkey --json',
        '{"verified":true,"problems":[],…}',
        '$ writ receipt verify lineage.json --log-key fs.vkey --witness-policy witnesses.txt',
      ),
    )
    .action(act(verify));
};

function verify({ output, surroundings: { cwd } }: Session, file: string, options: Options): ExitCode {
  if (options.logKey === undefined && options.governanceKey === undefined) {
    throw usageError('there is no key to verify with', 'give --log-key FILE, --governance-key FILE, or both');
  }
  const summary = verifyFile(cwd, file, options);
  const { verified, problems, withheld, executions, about, bytes, verifyMs } = summary;
  output.answer(summary, () => {
    output.line(
      verified ? good('verified') : bad('not verified'),
      faint(`  ${bytes} bytes in ${verifyMs} ms`),
    );
    if (about !== undefined && 'lineage' in about) output.line(faint('lineage    '), about.lineage);
    for (const execution of executions) tellExecution(output, execution);
    for (const problem of problems) output.line(bad('✗ '), problem);
    for (const part of withheld) output.line(warn('– '), `${part} is withheld: not wrong, and not checked`);
  });
  return verified ? 0 : 1;
}

function verifyFile(cwd: string, file: string, options: Options): BundleSummary {
  const refused = (problem: string, bytes = 0) => {
    const report: EvidenceReport = { verified: false, problems: [problem], withheld: [], executions: [] };
    return summaryOf(report, bytes, 0);
  };
  const keys = readKeys(cwd, options);
  if (isDenial(keys)) return refused(keys.detail);
  const bundle = readInputFile(cwd, file, MAX_BUNDLE_BYTES);
  if (isDenial(bundle)) return refused(`bundle: ${bundle.detail}`);
  const start = performance.now();
  const report = isSigstoreBundle(bundle) ? verifyAttested(bundle, keys) : verifyEvidence(bundle, keys);
  return summaryOf(report, bundle.byteLength, performance.now() - start);
}

/** An attestation is of one log, and its own key must have signed it. */
function verifyAttested(bundle: Uint8Array, { logs, governance, witnesses }: BundleKeys): EvidenceReport {
  const [logKey, ...others] = logs;
  if (logKey === undefined || others.length > 0 || governance !== undefined || witnesses !== undefined) {
    throw usageError(
      'an attestation is verified with one log key',
      'give --log-key FILE once, and nothing else',
    );
  }
  return verifyAttestation(bundle, logKey);
}

function readKeys(cwd: string, { logKey = [], governanceKey, witnessPolicy }: Options): BundleKeys | Denial {
  const logs: NoteVerifier[] = [];
  for (const file of logKey) {
    const key = readVkey(cwd, file, 'log key');
    if (isDenial(key)) return key;
    logs.push(key);
  }
  const governance = governanceKey === undefined ? undefined : readVkey(cwd, governanceKey, 'governance key');
  if (isDenial(governance)) return governance;
  const text = witnessPolicy === undefined ? undefined : readInputFile(cwd, witnessPolicy, MAX_POLICY_BYTES);
  if (isDenial(text)) return deny(text.code, `witnesses: ${text.detail}`);
  const witnesses = text === undefined ? undefined : parseWitnessPolicy(text);
  if (isDenial(witnesses)) return deny(witnesses.code, `witnesses: ${witnesses.detail}`);
  return { logs, ...(governance && { governance }), ...(witnesses && { witnesses }) };
}

function readVkey(cwd: string, file: string, what: string): NoteVerifier | Denial {
  const bytes = readInputFile(cwd, file, MAX_KEY_BYTES);
  if (isDenial(bytes)) return deny(bytes.code, `${what}: ${bytes.detail}`);
  const key = parseVkey(Buffer.from(bytes).toString('utf8').trim());
  return isDenial(key) ? deny(key.code, `${what}: ${key.detail}`) : key;
}
