// Writes the documents that are made from the sources: docs/configuration.md and spec/openapi.json. Tests fail where one
// is not what the sources say. Run it with the Node that the project pins.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeApi } from '../src/server/api/describe-api.ts';
import { configurationGuide } from '../src/server/config/index.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const files = {
  'docs/configuration.md': configurationGuide(),
  'spec/openapi.json': JSON.stringify(describeApi()),
};
for (const [file, text] of Object.entries(files)) writeFileSync(join(root, file), text);
spawnSync(join(root, 'node_modules', '.bin', 'biome'), ['format', '--write', ...Object.keys(files)], {
  cwd: root,
  stdio: 'inherit',
});
