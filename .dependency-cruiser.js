/**
 * The import ranks of the house plan: a file imports only folders of lower rank;
 * folders of one rank never import each other.
 */
const RANKS = [
  ['denial'],
  ['codec'],
  ['key'],
  ['artifact', 'policy', 'environment', 'tlog', 'workload'],
  ['receipt'],
  ['governance', 'lineage'],
  ['decision'],
  ['storage', 'mesh'],
  ['governor'],
  ['enforce'],
  ['server'],
  ['cli'],
];

const rankRules = RANKS.flatMap((folders, rank) =>
  folders.map((folder) => ({
    name: `rank-${rank}-${folder}`,
    comment: `src/${folder} (rank ${rank}) may import only folders of lower rank`,
    severity: 'error',
    from: { path: `^src/${folder}/` },
    to: {
      path: '^src/',
      pathNot: [
        `^src/${folder}/`,
        ...RANKS.slice(0, rank)
          .flat()
          .map((lower) => `^src/${lower}/`),
      ],
    },
  })),
);

export default {
  forbidden: [
    ...rankRules,
    {
      name: 'enforcement-points-are-separate',
      severity: 'error',
      from: { path: '^src/enforce/([^/]+)/' },
      to: { path: '^src/enforce/', pathNot: '^src/enforce/$1/' },
    },
    {
      name: 'frameworks-stay-outside',
      comment:
        'tools of frameworks are wrapped by their shape: what is governed decides which version is used',
      severity: 'error',
      from: { path: '^src/enforce/sdk/', pathNot: '\\.test\\.ts$' },
      to: { path: 'node_modules/(@ai-sdk|ai|@openai|@langchain|langchain)/' },
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-dev-dependency-in-src',
      comment: 'src/mesh/workload-api loads its libraries, optional peers, when it is opened',
      severity: 'error',
      from: { path: '^src', pathNot: ['\\.test\\.ts$', '^src/mesh/workload-api/'] },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'receipt-stays-browser-safe',
      comment:
        'auditors and the console verify with src/receipt: no node: module but through src/codec and src/key',
      severity: 'error',
      from: { path: '^src/receipt/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(node:)?(fs|net|child_process|worker_threads|sqlite|os|path)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    parser: 'swc',
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['node', 'import', 'types', 'default'],
    },
  },
};
