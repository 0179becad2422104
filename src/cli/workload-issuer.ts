import { resolve } from 'node:path';
import { DevelopmentIssuer, isTrustDomain, serializeIssuer } from '../workload/index.ts';
import { usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { parseDuration } from './duration.ts';
import type { Session } from './session.ts';
import { faint, good } from './text.ts';
import { BUNDLE_FILE, ISSUER_FILE, writeFiles } from './workload-files.ts';

interface Options {
  readonly trustDomain: string;
  readonly ttl: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Make an issuer of SPIFFE identities for development: a folder with its keys and its trust bundle. It attests nothing:
whoever can read the folder can be any workload of that trust domain. In production, use SPIRE or another
implementation of SPIFFE, and give its trust bundle to the daemon.`,
    )
    .argument('<folder>', 'where to make it; what is there is not replaced')
    .requiredOption('--trust-domain <name>', 'the SPIFFE trust domain, such as dev.example')
    .option('--ttl <duration>', 'how long its authority is valid', '30d')
    .addHelpText(
      'after',
      examples(
        '$ writ workload issuer dev --trust-domain dev.example',
        '$ writ workload issue dev spiffe://dev.example/web --out web',
        '',
        'writ.yaml:  workloads:',
        '              trustBundles:',
        '                - { trustDomain: dev.example, file: /work/dev/bundle.json }',
      ),
    )
    .action(act(makeIssuer));
};

function makeIssuer({ output, surroundings, nowSeconds }: Session, folder: string, options: Options): void {
  const { trustDomain } = options;
  if (!isTrustDomain(trustDomain)) {
    throw usageError(
      `--trust-domain "${trustDomain}" is no name of one`,
      'write it in lower case: dev.example',
    );
  }
  const ttlSeconds = parseDuration(options.ttl, '--ttl');
  const issuer = DevelopmentIssuer.create(trustDomain, { nowSeconds, ttlSeconds });
  const bundle = `${JSON.stringify(issuer.bundle(), undefined, 2)}\n`;
  const path = resolve(surroundings.cwd, folder);
  const [, bundleFile = ''] = writeFiles(
    path,
    [
      { name: ISSUER_FILE, text: serializeIssuer(issuer) },
      { name: BUNDLE_FILE, text: bundle, public: true },
    ],
    false,
  );
  output.answer({ folder: path, trustDomain, bundle: bundleFile, expires: nowSeconds + ttlSeconds }, () => {
    output.line(good('made '), trustDomain, faint(`  ${path}`));
    output.line(faint('bundle  '), bundleFile);
    output.line(
      faint('For development: whoever reads that folder can be any workload of this trust domain.'),
    );
  });
}
