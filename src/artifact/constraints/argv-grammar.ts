import { isJsonObject, type JsonObject, type JsonValue } from '../../codec/index.ts';
import { type Denial, isDenial } from '../../denial/index.ts';
import { Argv, type FlagRule } from './argv.ts';
import { isArray } from './candidate.ts';
import type { Constraint } from './constraint.ts';
import { hasOnly, malformed, memberOf, type Parsing, readFlag, type TypeDefinition } from './parsing.ts';
import { Wildcard } from './scalar-constraints.ts';

export const ARGV: TypeDefinition = {
  members: ['command', 'flags', 'positionals', 'rest', 'interleaved', 'terminator', 'response_files'],
  parse: parseArgv,
};

const FLAG_MEMBERS = ['value', 'constraint', 'repeatable', 'required'];
const FLAG_NAME = /^--?[A-Za-z0-9][A-Za-z0-9_.-]*$/;

function parseArgv(json: JsonObject, parsing: Parsing): Constraint | Denial {
  const command = parseCommand(memberOf(json, 'command'), parsing);
  if (isDenial(command)) return command;
  const flags = parseFlags(memberOf(json, 'flags'), parsing);
  if (isDenial(flags)) return flags;
  const positionals = parsePositionals(memberOf(json, 'positionals'), parsing);
  if (isDenial(positionals)) return positionals;
  const restJson = memberOf(json, 'rest');
  const rest = restJson === undefined ? undefined : parsing.leaf(restJson);
  if (isDenial(rest)) return rest;
  const interleaved = readFlag(json, 'interleaved', false);
  const terminator = readFlag(json, 'terminator', false);
  const responseFiles = readFlag(json, 'response_files', false);
  if (interleaved === undefined || terminator === undefined || responseFiles === undefined) {
    return malformed('argv.interleaved, argv.terminator and argv.response_files must be booleans');
  }
  return new Argv({ command, flags, positionals, rest, interleaved, terminator, responseFiles });
}

function parseCommand(json: JsonValue | undefined, { work }: Parsing): readonly string[] | Denial {
  if (json === undefined) return [];
  if (!isArray(json) || !json.every((element) => typeof element === 'string')) {
    return malformed('argv.command must be an array of strings');
  }
  return work.spend(json.length) ? json : malformed('constraint map too large');
}

function parsePositionals(json: JsonValue | undefined, parsing: Parsing): readonly Constraint[] | Denial {
  if (json === undefined) return [];
  if (!isArray(json)) return malformed('argv.positionals must be an array');
  const constraints: Constraint[] = [];
  for (const item of json) {
    const constraint = parsing.leaf(item);
    if (isDenial(constraint)) return constraint;
    constraints.push(constraint);
  }
  return constraints;
}

function parseFlags(json: JsonValue | undefined, parsing: Parsing): ReadonlyMap<string, FlagRule> | Denial {
  const flags = new Map<string, FlagRule>();
  if (json === undefined) return flags;
  if (!isJsonObject(json)) return malformed('argv.flags must be an object');
  for (const [name, ruleJson] of Object.entries(json)) {
    if (!FLAG_NAME.test(name)) return malformed('argv.flags has a name that is not a flag');
    if (!parsing.work.spend(1)) return malformed('constraint map too large');
    const rule = parseFlagRule(ruleJson, parsing);
    if (isDenial(rule)) return rule;
    flags.set(name, rule);
  }
  return flags;
}

function parseFlagRule(json: JsonValue, parsing: Parsing): FlagRule | Denial {
  if (!isJsonObject(json) || !hasOnly(json, FLAG_MEMBERS)) {
    return malformed('argv flag must be an object of value, constraint, repeatable and required');
  }
  const value = memberOf(json, 'value');
  if (value !== undefined && value !== 'string' && value !== 'integer') {
    return malformed('argv flag value must be "string" or "integer"');
  }
  const constraintJson = memberOf(json, 'constraint');
  if (constraintJson !== undefined && value === undefined) {
    return malformed('argv flag with a constraint but no value');
  }
  const constraint = constraintJson === undefined ? new Wildcard() : parsing.leaf(constraintJson);
  if (isDenial(constraint)) return constraint;
  const repeatable = readFlag(json, 'repeatable', false);
  const required = readFlag(json, 'required', false);
  if (repeatable === undefined || required === undefined) {
    return malformed('argv flag repeatable and required must be booleans');
  }
  return { value, constraint, repeatable, required };
}
