import { type PresentationContext, parseTrustAnchors, verifyPresentation } from '../artifact/index.ts';
import { parseJsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { type ExitCode, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { readJsonFile } from './input-file.ts';
import type { Session } from './session.ts';
import { bad, faint, good } from './text.ts';

interface Options {
  readonly anchors: string;
  readonly audience: string;
  readonly tool: string;
  readonly args: string;
  readonly now?: string;
  readonly requireAudience?: boolean;
}

/** Chain (256 KiB) and proof (2 MiB), with room for JSON escapes. */
const MAX_PRESENTATION_BYTES = 8 * 1024 * 1024;
const MAX_ANCHORS_BYTES = 1024 * 1024;
const MAX_ARGUMENTS_BYTES = 8 * 1024 * 1024;
const MAX_TOOL_CHARACTERS = 1024;

export const define: Define = (command, act) => {
  command
    .description(
      `Verify a presentation for one call: request, artifact, identity and scope.
Stateless: no trust domain is needed, and replay, counters, revocation and policy are not looked at.
A presentation is {"aat_chain": ["…"], "aat_pop": "…"}; anchors are [{"iss": "…", "jwk": {…}}].`,
    )
    .argument('<presentation>', 'file with the presentation')
    .requiredOption('--anchors <file>', 'the trust anchors')
    .requiredOption('--audience <uri>', 'the enforcement point it is presented to')
    .requiredOption('--tool <id>', 'the tool called')
    .requiredOption('--args <json>', 'the arguments of the call')
    .option('--now <seconds>', 'verify as of this Unix time')
    .option('--require-audience', 'deny an artifact that names no audience')
    .addHelpText(
      'after',
      examples(
        '$ writ artifact verify call.json --anchors anchors.json --audience spiffe://local/gateway/fs \\\n      --tool mcp://fs/tools/read_text_file --args \'{"path":"notes.txt"}\' --json',
        '{"verdict":"permit","code":null,"detail":null}',
      ),
    )
    .action(act(verify));
};

function verify({ output, surroundings, nowSeconds }: Session, file: string, options: Options): ExitCode {
  const now = options.now === undefined ? nowSeconds : Number(options.now);
  if (options.now?.trim() === '' || !Number.isFinite(now)) {
    throw usageError(
      `--now "${options.now}" is not a Unix time`,
      'give seconds since 1970, such as 1767225600',
    );
  }
  const denial = findDenial(surroundings.cwd, file, options, now);
  const answer =
    denial === undefined
      ? { verdict: 'permit', code: null, detail: null }
      : { verdict: 'deny', code: denial.code, detail: denial.detail };
  output.answer(answer, () => {
    if (denial === undefined) output.line(good('permit'));
    else output.line(bad('deny'), ' ', denial.code, ' ', faint(denial.detail));
  });
  return denial === undefined ? 0 : 1;
}

function findDenial(cwd: string, file: string, options: Options, nowSeconds: number): Denial | undefined {
  const { tool, audience, requireAudience = false } = options;
  const args = parseJsonObject(options.args, 'request.malformed', { maxBytes: MAX_ARGUMENTS_BYTES });
  if (isDenial(args)) return deny(args.code, `arguments: ${args.detail}`);
  if (tool === '' || !tool.isWellFormed()) return deny('request.malformed', 'tool is not a non-empty string');
  if (tool.length > MAX_TOOL_CHARACTERS) {
    return deny('request.too_large', `tool is longer than ${MAX_TOOL_CHARACTERS} characters`);
  }
  const anchors = readAnchors(cwd, options.anchors);
  if (isDenial(anchors)) return anchors;
  const presentation = readJsonFile(cwd, file, { maxBytes: MAX_PRESENTATION_BYTES });
  if (isDenial(presentation)) return presentation;
  const verified = verifyPresentation(presentation, {
    anchors,
    audiences: [audience],
    requireAudience,
    tool,
    args,
    nowSeconds,
  });
  return isDenial(verified) ? verified : undefined;
}

function readAnchors(cwd: string, file: string): PresentationContext['anchors'] | Denial {
  const json = readJsonFile(cwd, file, { maxBytes: MAX_ANCHORS_BYTES });
  return isDenial(json) ? json : parseTrustAnchors(json);
}
