import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { isComponentName } from '../../environment/index.ts';
import { isLocalName } from '../../governor/index.ts';

/**
 * Variables with which whoever sets them puts code of theirs into a program. They are refused where one is configured, so that
 * nobody takes over a line from an example; the environment as a whole is measured.
 */
const LOADS_CODE =
  /^(?:LD_|DYLD_|NODE_|PYTHON|PERL|RUBY|JAVA_|JDK_|_JAVA|GCONV_PATH$|GLIBC_TUNABLES$|OPENSSL_|BASH_ENV$|ENV$|BASH_FUNC|SHELLOPTS$|IFS$|WRIT_)/;

const path = z.string().min(1).max(4096);
const text = z
  .string()
  .max(65_536)
  .refine((value) => !value.includes('\0'), 'has a NUL');

export const supervisedProgram = z.strictObject({
  name: z
    .string()
    .refine(isLocalName, 'is no local name')
    .describe('What "writ supervise" calls it. It is recorded with every decision.'),
  command: path
    .refine(isAbsolute, 'is not an absolute path')
    .describe('The executable, by its absolute path: Node, or a script with a #! line.'),
  args: z.array(text).max(256).default([]).describe('Its arguments. Nobody who starts it adds any.'),
  cwd: path.refine(isAbsolute, 'is not an absolute path').describe('The folder it is started in.'),
  environment: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is no name of an environment variable'), text)
    .refine((variables) => !Object.keys(variables).some((name) => LOADS_CODE.test(name)), {
      message: 'has a variable that puts code into the program, or is not its to set',
    })
    .default({})
    .describe('All of its environment but PATH, HOME and what Writ adds. Nothing of the daemon’s own.'),
  files: z
    .array(path.refine((file) => isComponentName(`files/${file}`), 'is too long, or no text, to be recorded'))
    .max(64)
    .default([])
    .describe('Files and folders with code that it loads, measured besides, relative to cwd.'),
});

export type SupervisedConfig = z.infer<typeof supervisedProgram>;

export const supervisedPrograms = z
  .array(supervisedProgram)
  .max(64)
  .refine(
    (programs) => new Set(programs.map(({ name }) => name)).size === programs.length,
    'has a program twice',
  );
