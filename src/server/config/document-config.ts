import { configKeys, variableOf } from './describe-keys.ts';

const HEAD = `# Configuration

The daemon reads \`writ.yaml\` in the trust domain's folder (\`.writ/writ.yaml\`), if it is there. Without it, everything
below has its default, and only the Unix socket is served. \`writ config check\` says what is wrong with the file, with line
and column; \`writ config show\` says what counts, with defaults and overrides. A key that does not exist is refused, with the
nearest one that does. YAML is read plainly: no anchors, aliases, tags or merge keys.

Each key can be overridden by an environment variable, named below: numbers and \`true\` or \`false\` as they are, lists and
secrets as JSON. A variable of that form that names no key is refused.

**Secrets are never in the file.** A key that is a secret takes \`{ file: /absolute/path }\`, a file that its user alone can
read, or \`{ env: NAME }\`, the name of an environment variable that holds it.

The file says who may administer, so one that others can write to is refused. Changes count after a restart of the daemon.

\`\`\`yaml
listen:
  address: 0.0.0.0
  port: 7443
  publicUrl: https://writ.example:7443
  tls:
    certificateFile: /etc/writ/tls/server.pem
    key: { file: /etc/writ/tls/server.key }
    clientCaFile: /etc/writ/tls/clients.pem
    callers:
      - { id: "spiffe://example/ops/deployer", role: operator }
limits:
  requestsPerSecond: 200
\`\`\`
`;

/** docs/configuration.md, from the schema: every key is in it. */
export function configurationGuide(): string {
  const parts = [HEAD];
  for (const key of configKeys()) {
    const { path, description, type, required, section } = key;
    const name = path.join('.').replaceAll('.[]', '[]');
    if (section && path.length === 1) {
      parts.push(`## ${name}\n\n${description}\n`);
      continue;
    }
    const variable = variableOf(key);
    const facts = [
      section ? 'A section.' : `${type[0]?.toUpperCase()}${type.slice(1)}.`,
      ...(required ? ['Required.'] : []),
      ...(key.default === undefined ? [] : [`Default: \`${key.default}\`.`]),
      ...(variable === undefined || section ? [] : [`Variable: \`${variable}\`.`]),
    ];
    parts.push(`### \`${name}\`\n\n${description}\n\n${facts.join(' ')}\n`);
  }
  return parts.join('\n');
}
