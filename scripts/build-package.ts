// Makes what a package of Writ runs, in `dist/`: the program, bundled with what it imports, which starts in half the time that
// hundreds of small files take; and the library, module by module, whose dependencies the importing project installs.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'rolldown';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

/** What the program starts in threads and processes of their own: each is found in the folder of who starts it. */
const WORKERS = [
  'src/governor/reading/reading-worker.ts',
  'src/storage/sqlite/writer-worker.ts',
  'src/storage/sqlite/integrity-worker.ts',
];

const PROGRAM = [
  'src/cli/main.ts',
  'src/cli/measure-worker.ts',
  'examples/demo/hostile-gateway.ts',
  ...WORKERS,
];

/** Loaded from where they are installed: WebAssembly beside its own file, and peers that may be absent. */
const INSTALLED = [/^node:(?!https?$|tls$)/, /^@cedar-policy\//, /^@grpc\//];

/**
 * Modules of Node's own without their lazy parts. An `import` of `node:http` reads every export it has, and one of them loads
 * the whole of fetch: 100 ms of processor, where asking for the module itself takes 10.
 */
const plainBuiltins: Plugin = {
  name: 'plain-builtins',
  resolveId: {
    filter: { id: /^(?:node:)?(?:https?|tls)$/ },
    handler: (id, _importer, { kind }) =>
      kind === 'require-call' ? { id, external: true } : `\0builtin:${id.replace(/^node:/, '')}`,
  },
  load: {
    filter: { id: /^\0builtin:/ },
    handler(id) {
      const name = id.slice('\0builtin:'.length);
      const own = Object.getOwnPropertyDescriptors(process.getBuiltinModule(`node:${name}`) as object);
      const names = Object.keys(own).filter((key) => own[key]?.get === undefined && key !== 'default');
      return `const builtin = process.getBuiltinModule('node:${name}');
export default builtin;
export const { ${names.join(', ')} } = builtin;`;
    },
  },
};

/** Writes the program into a folder: `main.js`, its parts, and `packages.json`, which says whose code is in it. */
export async function buildProgram(folder: string): Promise<void> {
  const { output } = await build({
    input: Object.fromEntries(PROGRAM.map((path) => [path.replace(/^.*\/|\.ts$/g, ''), join(root, path)])),
    cwd: root,
    platform: 'node',
    external: INSTALLED,
    plugins: [plainBuiltins],
    output: { dir: folder, format: 'esm', chunkFileNames: '[name]-[hash].js' },
    logLevel: 'warn',
  });
  const modules = output.flatMap((part) => (part.type === 'chunk' ? part.moduleIds : []));
  const packages = [...new Set(modules.map(manifestOf))]
    .filter((path) => path !== undefined)
    .map((path) => JSON.parse(readFileSync(path, 'utf8')) as Manifest)
    .map(({ name, version, license }) => ({ name, version, license }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
  writeFileSync(join(folder, 'packages.json'), `${JSON.stringify(packages, null, 2)}\n`);
}

/** Writes the library's modules into a folder, each where its source is in `src/`. The types are the compiler's. */
export async function buildLibrary(folder: string): Promise<void> {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string>;
  };
  const sources = Object.values(manifest.exports).map((path) =>
    path.replace(/^\.\/dist\/(.*)\.js$/, '$1.ts'),
  );
  await build({
    input: [...sources, ...WORKERS].map((path) => join(root, path)),
    cwd: root,
    platform: 'node',
    external: (name) => !name.startsWith('.') && !name.startsWith(root),
    output: {
      ...{ dir: folder, format: 'esm', entryFileNames: '[name].js' },
      ...{ preserveModules: true, preserveModulesRoot: join(root, 'src') },
    },
    logLevel: 'warn',
  });
}

/** The manifest of the installed package that a module belongs to; undefined for Writ's own. */
function manifestOf(module: string): string | undefined {
  const installed = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(module.replaceAll('\\', '/'));
  return installed === null ? undefined : join(installed[0], 'package.json');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = resolve(process.argv[2] ?? 'dist');
  await Promise.all([buildProgram(join(dist, 'program')), buildLibrary(join(dist, 'src'))]);
}
