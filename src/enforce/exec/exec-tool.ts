import type { Digest, JsonObject, JsonValue } from '../../codec/index.ts';
import { type ToolDefinition, toolDefinitionDigest } from '../../policy/index.ts';
import type { Program } from './program.ts';

export const EXEC_SCHEME = 'exec';

/** What a program does to the world, in the words of its operator; silence means destructive. */
export type Effects = 'read' | 'write' | 'destructive';

/** A program as decisions know it. */
export interface ExecTool extends ToolDefinition {
  readonly digest: Digest;
}

/** Name of a program's enforcement point: of its audience, its execution log and its file of tools. */
export function execPointName(name: string): string {
  return `${EXEC_SCHEME}-${name}`;
}

export function execToolId(name: string): string {
  return `${EXEC_SCHEME}://${name}/run`;
}

/**
 * The tool that a program is. Its definition says which bytes run, so that another program of that name has another
 * definition: where that is pinned, stage 5 denies with `environment.tool_changed`.
 */
export function execTool(name: string, program: Program, effects: Effects): ExecTool {
  const { path, digest, interpreter } = program;
  const strings = { type: 'array', items: { type: 'string' } };
  const required: Record<string, JsonValue> = {
    program: { type: 'string', const: path },
    programDigest: { type: 'string', const: digest },
    ...(interpreter === undefined
      ? {}
      : {
          interpreter: { type: 'string', const: interpreter.path },
          interpreterDigest: { type: 'string', const: interpreter.digest },
        }),
    argv: { ...strings, description: 'Arguments, without the name of the program.' },
    account: { type: 'string', description: 'uid:gid it runs as.' },
    cwd: { type: 'string' },
    env: { ...strings, description: 'NAME=value; nothing is inherited.' },
    read: { ...strings, description: 'Paths it may read.' },
    write: { ...strings, description: 'Paths it may read and write.' },
    network: { ...strings, description: 'host:port it may connect to.' },
    wallSeconds: { type: 'integer' },
    cpuSeconds: { type: 'integer' },
    memoryBytes: { type: 'integer' },
    processes: { type: 'integer' },
    fileBytes: { type: 'integer' },
    openFiles: { type: 'integer' },
    networkBytes: { type: 'integer' },
  };
  const definition: JsonObject = {
    name,
    description: `Runs ${path} confined.`,
    inputSchema: {
      type: 'object',
      additionalProperties: false,
      properties: {
        ...required,
        stdinDigest: { type: 'string', description: 'SHA-256 of standard input, where that is bound.' },
        unsafeEnv: { ...strings, description: 'Variables that change which code runs.' },
      },
      required: Object.keys(required),
    },
    annotations: {
      readOnlyHint: effects === 'read',
      destructiveHint: effects === 'destructive',
    },
  };
  return {
    server: name,
    id: execToolId(name),
    definition,
    digest: toolDefinitionDigest(definition),
  };
}
