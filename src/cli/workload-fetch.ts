import { resolve } from 'node:path';
import { ENDPOINT_VARIABLE } from '../governor/index.ts';
import { type WitIdentity, WorkloadApi, type X509Identity } from '../mesh/index.ts';
import { pemOfCertificates } from '../workload/index.ts';
import { failure, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import type { Session } from './session.ts';
import { faint, good } from './text.ts';
import { writeFiles } from './workload-files.ts';

interface Options {
  readonly endpoint?: string;
  readonly out?: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Ask the SPIFFE Workload API who this process is: its X.509-SVIDs and, where the endpoint has them, WIT-SVIDs. Needs the
packages @grpc/grpc-js and @grpc/proto-loader.`,
    )
    .option('--endpoint <uri>', `unix:///path of its socket (default: ${ENDPOINT_VARIABLE})`)
    .option('--out <folder>', 'write the first of each there (svid.pem, svid.key, wit.jwt, wit.key)')
    .addHelpText('after', examples('$ writ workload fetch --endpoint unix:///run/spire/agent.sock --out web'))
    .action(act(fetchIdentities));
};

async function fetchIdentities({ output, surroundings }: Session, options: Options): Promise<void> {
  const endpoint = options.endpoint ?? surroundings.environment[ENDPOINT_VARIABLE];
  if (endpoint === undefined) {
    throw usageError(
      'where is the Workload API?',
      `give --endpoint unix:///PATH, or set ${ENDPOINT_VARIABLE}`,
    );
  }
  const unavailable = (error: unknown) =>
    failure('workload-api.unavailable', error instanceof Error ? error.message : 'the Workload API failed');
  const api = await WorkloadApi.open({ endpoint }).catch((error: unknown) => {
    throw unavailable(error);
  });
  try {
    const x509 = await api.first<readonly X509Identity[]>((watcher) => api.watchX509(watcher));
    // A profile that few endpoints have.
    const wit = await api.first<readonly WitIdentity[]>((watcher) => api.watchWit(watcher)).catch(() => []);
    const identities = [
      ...x509.map(({ id, hint }) => ({ id, kind: 'x509-svid', hint })),
      ...wit.map(({ id, hint }) => ({ id, kind: 'wit-svid', hint })),
    ];
    const files =
      options.out === undefined
        ? []
        : writeFiles(resolve(surroundings.cwd, options.out), filesOf(x509, wit), true);
    output.answer({ endpoint, identities, files }, () => {
      for (const { id, kind, hint } of identities) output.line(good(id), faint(`  ${kind}  ${hint}`));
      for (const file of files) output.line(faint('file  '), file);
    });
  } catch (error) {
    throw unavailable(error);
  } finally {
    api.close();
  }
}

function filesOf([svid]: readonly X509Identity[], [wit]: readonly WitIdentity[]) {
  const pem = (key: X509Identity['privateKey']) => key.export({ type: 'pkcs8', format: 'pem' }).toString();
  return [
    ...(svid === undefined
      ? []
      : [
          { name: 'svid.pem', text: pemOfCertificates(svid.certificates), public: true },
          { name: 'svid.key', text: pem(svid.privateKey) },
        ]),
    ...(wit === undefined
      ? []
      : [
          { name: 'wit.jwt', text: `${wit.wit}\n` },
          { name: 'wit.key', text: pem(wit.privateKey) },
        ]),
  ];
}
