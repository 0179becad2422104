import { grantedTools, type Presentation, parseWorkloadMembers } from '../../../artifact/index.ts';
import { isJsonObject, type JsonObject } from '../../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../../denial/index.ts';
import { META_PRESENTATION } from '../answer.ts';
import type { Presenter } from '../ports.ts';
import { findMember, removeMember, replaceValue } from './json-members.ts';

const PATH = ['params', '_meta', META_PRESENTATION];

/** Whether the chain stands to a trust anchor now: without that a caller is not even told what there is. */
export type Stands = (chain: readonly string[]) => boolean;

/** Takes a message apart into what is for Writ and what is for the server. */
export interface Parted {
  /** The message without the presentation: what is decided on, and what is forwarded. */
  readonly line: Buffer;
  readonly presenter: Presenter;
}

/**
 * The presentation that a message brought in its `_meta` (`writ/presentation`: `{"aat_chain": […], "aat_pop": …}`; lists
 * have no proof).
 *
 * INVARIANT: the presentation is taken out before the message is parsed for its decision, byte for byte, so that what is
 * decided on is what the server gets, and no server gets a presentation (MCP, Authorization, Token Passthrough).
 */
export function partPresentation(line: Buffer, params: JsonObject, stands: Stands): Parted {
  const meta = params._meta;
  const brought = isJsonObject(meta) ? meta[META_PRESENTATION] : undefined;
  const span = findMember(line, PATH);
  if (span === undefined || brought === undefined) return { line, presenter: refusing(NONE) };
  const rest = removeMember(line, span);
  const presentation = parse(brought);
  if (isDenial(presentation)) return { line: rest, presenter: refusing(presentation) };
  const { chain, proof, workload } = presentation;
  let granted: ReadonlySet<string> | undefined;
  return {
    line: rest,
    presenter: {
      // Asked of lists only, which nothing else governs.
      grants: (tool) => {
        granted ??= stands(chain) ? toolsOf(chain) : new Set();
        return granted.has(tool);
      },
      present: () => (proof === undefined ? NO_PROOF : { aat_chain: chain, aat_pop: proof, ...workload }),
    },
  };
}

/** The same message with a presentation in its `_meta`; all that was there stays as it is. */
export function addPresentation(line: Buffer, presentation: JsonObject): Buffer {
  const member = `${JSON.stringify(META_PRESENTATION)}:${JSON.stringify(presentation)}`;
  const own = findMember(line, PATH);
  if (own !== undefined) return replaceValue(line, own, JSON.stringify(presentation));
  const meta = findMember(line, ['params', '_meta']);
  if (meta !== undefined) return insertFirst(line, meta.start, member);
  const params = findMember(line, ['params']);
  if (params !== undefined) return insertFirst(line, params.start, `"_meta":{${member}}`);
  return insertFirst(line, line.indexOf('{'), `"params":{"_meta":{${member}}}`);
}

/** Puts a member first into the object that opens at `at`. */
function insertFirst(line: Buffer, at: number, member: string): Buffer {
  const rest = line.subarray(at + 1);
  const isEmpty = /^[ \t]*\}/.test(rest.toString('latin1', 0, 64));
  return Buffer.concat([line.subarray(0, at + 1), Buffer.from(isEmpty ? member : `${member},`), rest]);
}

const NONE = deny('artifact.missing', 'the message brings no presentation');
const NO_PROOF = deny('identity.proof_missing', 'the presentation has no proof');
const MALFORMED = deny('artifact.malformed', 'the presentation is not one');

interface Brought {
  readonly chain: readonly string[];
  readonly proof?: string;
  readonly workload: Pick<Presentation, 'wit' | 'wpt'>;
}

function parse(value: unknown): Brought | Denial {
  if (!isJsonObject(value)) return MALFORMED;
  const { aat_chain: chain, aat_pop: proof, wit: _wit, wpt: _wpt, ...more } = value;
  if (Object.keys(more).length > 0 || !Array.isArray(chain)) return MALFORMED;
  const tokens = chain.filter((token) => typeof token === 'string');
  if (tokens.length !== chain.length || tokens.length === 0) return MALFORMED;
  const workload = parseWorkloadMembers(value);
  if (isDenial(workload)) return workload;
  if (proof === undefined) return { chain: tokens, workload };
  return typeof proof === 'string' ? { chain: tokens, proof, workload } : MALFORMED;
}

function toolsOf(chain: readonly string[]): ReadonlySet<string> {
  const granted = grantedTools(chain);
  return isDenial(granted) ? new Set() : granted.tools;
}

function refusing(denial: Denial): Presenter {
  return { grants: () => false, present: () => denial };
}
