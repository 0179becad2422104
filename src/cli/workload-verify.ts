import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isDenial } from '../denial/index.ts';
import { parseTrustBundle, verifyWitSvid, verifyX509Svid } from '../workload/index.ts';
import { denied, type ExitCode, failure, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { formatDuration, formatTime } from './duration.ts';
import type { Session } from './session.ts';
import { bad, faint, good } from './text.ts';

interface Options {
  readonly bundle: string;
  readonly trustDomain: string;
  readonly certificate?: string;
  readonly token?: string;
}

const MAX_FILE_BYTES = 256 * 1024;

export const define: Define = (command, act) => {
  command
    .description(
      `Verify an identity of a workload with a trust bundle, as the daemon would: an X.509-SVID (PEM, the leaf first) or a
WIT-SVID. Neither says anything of who holds it: that is proven with its key, to whoever is called.`,
    )
    .requiredOption('--bundle <file>', 'trust bundle of its trust domain (JWK Set)')
    .requiredOption('--trust-domain <name>', 'the trust domain that the bundle is of')
    .option('--certificate <file>', 'an X.509-SVID')
    .option('--token <file>', 'a WIT-SVID')
    .addHelpText(
      'after',
      examples(
        '$ writ workload verify --bundle dev/bundle.json --trust-domain dev.example --certificate web/svid.pem',
        '$ writ workload verify --bundle dev/bundle.json --trust-domain dev.example --token web/wit.jwt',
      ),
    )
    .action(act(verifyIdentity));
};

function verifyIdentity(
  { output, surroundings, nowSeconds }: Session,
  { bundle: bundleFile, trustDomain, certificate, token }: Options,
): ExitCode | undefined {
  if ((certificate === undefined) === (token === undefined)) {
    throw usageError('what is to be verified?', 'give either --certificate FILE or --token FILE');
  }
  const { cwd } = surroundings;
  const bundle = parseTrustBundle(trustDomain, readText(cwd, bundleFile));
  if (isDenial(bundle))
    throw denied(bundle, 'a trust bundle is a JWK Set, of the trust domain that is named');
  const verified =
    token === undefined
      ? verifyX509Svid(certificatesOf(readText(cwd, certificate ?? '')), bundle, nowSeconds)
      : verifyWitSvid(readText(cwd, token).trim(), new Map([[trustDomain, bundle]]), nowSeconds);
  if (typeof verified === 'string') {
    output.answer({ verified: false, problem: verified }, () => output.line(bad('not verified  '), verified));
    return 1;
  }
  const { id, expSeconds } = verified;
  output.answer({ verified: true, id, expires: expSeconds }, () => {
    output.line(good('verified  '), id);
    output.line(
      faint('expires   '),
      formatTime(expSeconds),
      faint(` in ${formatDuration(expSeconds - nowSeconds)}`),
    );
  });
  return undefined;
}

function certificatesOf(pem: string): readonly string[] {
  return [...pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g)].map(
    ([, text = '']) => text.replaceAll(/\s/g, ''),
  );
}

function readText(cwd: string, file: string): string {
  try {
    const bytes = readFileSync(resolve(cwd, file));
    if (bytes.byteLength <= MAX_FILE_BYTES) return bytes.toString('utf8');
  } catch {
    // Said below.
  }
  throw failure('file.unreadable', `${file} cannot be read, or is too long`);
}
