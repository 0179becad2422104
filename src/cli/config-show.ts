import { isJsonObject, type JsonObject, type JsonValue } from '../codec/index.ts';
import { type Define, examples } from './command.ts';
import { mustReadConfig } from './config-check.ts';
import type { Session } from './session.ts';
import { faint } from './text.ts';

export const define: Define = (command, act) => {
  command
    .description(
      `Show the configuration that counts: the file's values, those of environment variables over them, and defaults. Secrets are
shown as where they are, never as what they are.`,
    )
    .addHelpText('after', examples('$ writ config show', '$ WRIT_LOG__LEVEL=debug writ config show --json'))
    .action(act(show));
};

async function show(session: Session): Promise<void> {
  const { output } = session;
  const home = await session.openHome();
  const { config, file, variables } = mustReadConfig(session, home.configFile);
  output.answer({ file: file ?? null, variables, config }, () => {
    output.line(faint(file === undefined ? `# no ${home.configFile}: defaults` : `# ${file}`));
    for (const name of variables) output.line(faint(`# from ${name}`));
    const lines: string[] = [];
    write(lines, config as unknown as JsonObject, '');
    for (const line of lines) output.line(line);
  });
}

/** As YAML: scalars and lists in JSON's spelling, which YAML reads. */
function write(lines: string[], object: JsonObject, indent: string): void {
  for (const [name, value] of Object.entries<JsonValue | undefined>(object)) {
    if (value === undefined) continue;
    if (isJsonObject(value) && Object.keys(value).length > 0 && !isReference(value)) {
      lines.push(`${indent}${name}:`);
      write(lines, value, `${indent}  `);
    } else lines.push(`${indent}${name}: ${JSON.stringify(value)}`);
  }
}

function isReference(value: JsonObject): boolean {
  const names = Object.keys(value);
  return names.length === 1 && (names[0] === 'file' || names[0] === 'env');
}
