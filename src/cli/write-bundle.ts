import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDenial } from '../denial/index.ts';
import { type Home, verifyEvidence } from '../governor/index.ts';
import { EVIDENCE_KINDS, type EvidenceBundle, type EvidenceKind } from '../receipt/index.ts';
import { parseVkey } from '../tlog/index.ts';
import { summaryOf } from './bundle-report.ts';
import { denied, failure, usageError } from './cli-error.ts';
import { shellLine } from './client-config.ts';
import { readInputFile } from './input-file.ts';
import type { Session } from './session.ts';
import { faint, good } from './text.ts';

const MAX_KEY_BYTES = 4096;

export interface WriteOptions {
  readonly out?: string;
  readonly withhold: ReadonlySet<EvidenceKind>;
  /** Name of the execution log whose key the bundle is to be verified with. */
  readonly log: string;
  /** What the bundle is of, as the answer names it. */
  readonly named: Readonly<Record<string, string>>;
}

/** The parts of `--withhold`. */
export function parseWithheld(texts: readonly string[] = []): ReadonlySet<EvidenceKind> {
  const kinds = texts.map((text) => {
    const kind = EVIDENCE_KINDS.find((known) => known === text);
    if (kind !== undefined) return kind;
    throw usageError(`--withhold "${text}" is no part`, `give one of ${EVIDENCE_KINDS.join(', ')}`);
  });
  return new Set(kinds);
}

/** Verifies a bundle that was packed, as whoever gets it will, and hands it over with its size and what verifying took. */
export function writeBundle(
  { output, surroundings }: Session,
  home: Home,
  bundle: EvidenceBundle,
  { out, withhold, log, named }: WriteOptions,
): void {
  const text = `${JSON.stringify(bundle)}\n`;
  const logKey = join(home.executionLogFolder(log), 'log.vkey');
  const vkey = readInputFile(surroundings.cwd, logKey, MAX_KEY_BYTES);
  const key = isDenial(vkey) ? vkey : parseVkey(Buffer.from(vkey).toString('utf8').trim());
  const governance = parseVkey(home.governanceVkey);
  if (isDenial(key)) throw denied(key, 'run "writ doctor"');
  if (isDenial(governance)) throw denied(governance, 'run "writ doctor"');
  const start = performance.now();
  const report = verifyEvidence(text, { logs: [key], governance });
  const summary = summaryOf(report, Buffer.byteLength(text), performance.now() - start);
  if (!summary.verified) {
    const more = summary.problems.length > 1 ? ` (and ${summary.problems.length - 1} more)` : '';
    throw failure(
      'bundle.unverified',
      `the evidence does not verify: ${summary.problems[0]}${more}`,
      `run "writ log verify --log ${log}" and "writ log replay --log ${log}"`,
    );
  }
  const { bytes, verifyMs } = summary;
  const size = `${bytes} bytes, verified in ${verifyMs} ms`;
  if (out === undefined) {
    output.text(text);
    output.note(faint(size));
    return;
  }
  const file = resolve(surroundings.cwd, out);
  try {
    writeFileSync(file, text, { mode: 0o600 });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw failure('file.unwritable', `${out} cannot be written: ${code}`, 'choose another --out');
  }
  const executions = bundle.executions.length;
  const answer = { file, ...named, log, logKey, withheld: [...withhold], executions, bytes, verifyMs };
  output.answer(answer, () => {
    output.line(good('packed '), ...Object.values(named), faint(`  ${file}`));
    output.line(faint(`${executions} executions, ${size}`));
    if (!withhold.has('request')) output.line(faint('it holds the arguments of the calls in clear'));
    output.line(faint('verify  '), shellLine(['writ', 'receipt', 'verify', out, '--log-key', logKey]));
  });
}
