import { resolve } from 'node:path';
import { parseWorkloadId, pemOfCertificates } from '../workload/index.ts';
import { usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { formatDuration, parseDuration } from './duration.ts';
import type { Session } from './session.ts';
import { faint, good } from './text.ts';
import { BUNDLE_FILE, readIssuer, writeFiles } from './workload-files.ts';

interface Options {
  readonly out: string;
  readonly ttl: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Issue identities of a workload from a development issuer: an X.509-SVID (svid.pem, svid.key) for TLS, and a WIT-SVID
(wit.jwt, wit.key) for calls. What is in the folder already is replaced.`,
    )
    .argument('<issuer>', 'folder of the issuer')
    .argument('<id>', 'SPIFFE ID of the workload, such as spiffe://dev.example/web')
    .requiredOption('--out <folder>', 'where to write them')
    .option('--ttl <duration>', 'how long they are valid', '1h')
    .addHelpText('after', examples('$ writ workload issue dev spiffe://dev.example/web --out web --ttl 8h'))
    .action(act(issueIdentities));
};

async function issueIdentities(
  { output, surroundings, nowSeconds }: Session,
  folder: string,
  id: string,
  options: Options,
): Promise<void> {
  const issuer = await readIssuer(surroundings.cwd, folder);
  if (parseWorkloadId(id)?.trustDomain !== issuer.trustDomain) {
    throw usageError(
      `"${id}" is no SPIFFE ID of a workload of ${issuer.trustDomain}`,
      `write it as spiffe://${issuer.trustDomain}/web`,
    );
  }
  const validity = { nowSeconds, ttlSeconds: parseDuration(options.ttl, '--ttl') };
  const svid = issuer.issueX509(id, validity);
  const wit = issuer.issueWit(id, validity);
  const pem = (key: typeof svid.privateKey) => key.export({ type: 'pkcs8', format: 'pem' }).toString();
  const path = resolve(surroundings.cwd, options.out);
  const files = writeFiles(
    path,
    [
      { name: 'svid.pem', text: pemOfCertificates(svid.certificates), public: true },
      { name: 'svid.key', text: pem(svid.privateKey) },
      { name: 'wit.jwt', text: `${wit.wit}\n` },
      { name: 'wit.key', text: pem(wit.privateKey) },
      { name: BUNDLE_FILE, text: `${JSON.stringify(issuer.bundle(), undefined, 2)}\n`, public: true },
    ],
    true,
  );
  output.answer({ id, folder: path, files, expires: nowSeconds + validity.ttlSeconds }, () => {
    output.line(good('issued '), id, faint(`  for ${formatDuration(validity.ttlSeconds)}`));
    for (const file of files) output.line(faint('file  '), file);
  });
}
