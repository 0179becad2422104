/**
 * What it costs to measure an environment that has not changed, and to verify a TPM's quote; each beside what it cannot
 * do without. `node bench/environment.ts`.
 */
import { verify } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  attesterOf,
  COLLECTORS,
  EnvironmentWatch,
  findQuoteProblem,
  joinComponents,
  measureEnforcer,
  measureSurroundings,
  type WatchTarget,
} from '../src/environment/index.ts';
import { median, microseconds, print } from './measure.ts';

const ROUNDS = 9;
const CALLS = 200;

const recorded = JSON.parse(
  readFileSync(new URL('../test/vectors/tpm-quotes.json', import.meta.url), 'utf8'),
);
const bytes = (text: string) => Buffer.from(text, 'base64url');
const rounds = (work: () => unknown) =>
  median(Array.from({ length: ROUNDS }, () => microseconds(CALLS, work))) / 1000;

for (const scheme of ['ecdsa', 'rsassa', 'rsapss'] as const) {
  const { key, qualifiedName, attestation, signature } = recorded.quotes[scheme];
  const { pcrs, resetCount, restartCount, data } = recorded;
  const attester = attesterOf({
    ...{ key, qualifiedName, pcrs, resetCount, restartCount, boot: 'exact', maxAgeSeconds: 60 },
    ...{ certificate: '', root: '' },
  });
  if (typeof attester === 'string') throw new Error(attester);
  const quote = { attestation: bytes(attestation), signature: bytes(signature) };
  const expected = bytes(data);
  if (findQuoteProblem(quote, attester, expected) !== undefined) throw new Error('a quote does not verify');
  const whole = rounds(() => findQuoteProblem(quote, attester, expected));
  print(`a TPM quote, ${scheme}, verified`, whole, 'ms', '< 2 ms');
  if (scheme !== 'ecdsa') continue;
  const signed = Buffer.concat([quote.signature.subarray(6, 38), quote.signature.subarray(40)]);
  const { key: publicKey } = attester.key;
  const alone = rounds(() =>
    verify('sha256', quote.attestation, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signed),
  );
  print('  against its signature alone', whole / alone, '×');
}

const folder = fileURLToPath(new URL('..', import.meta.url));
const surroundings = { domain: 'bench.test', homeFolder: folder, folder };
const paths = new Set([process.execPath]);
const watch = new EnvironmentWatch({
  measure: async (onRead) => {
    const told = (target: WatchTarget) => {
      paths.add(target.path);
      onRead(target);
    };
    return joinComponents(
      await measureEnforcer(told),
      await measureSurroundings(COLLECTORS, surroundings, 0, told),
    );
  },
  everyMs: 3_600_000,
  onMeasured: () => undefined,
});
const asyncRounds = async (calls: number, work: () => Promise<unknown>) => {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    for (let call = 0; call < calls; call += 1) await work();
    times.push((performance.now() - start) / calls);
  }
  return median(times);
};
await watch.measure();
const unchanged = await asyncRounds(CALLS, () => watch.measure());
print('an unchanged environment, measured', unchanged, 'ms', '< 1 ms');
print(
  `  against a stat of each of its ${paths.size} watched paths`,
  unchanged / rounds(() => [...paths].map((path) => statSync(path, { bigint: true, throwIfNoEntry: false }))),
  '×',
);
const again = await asyncRounds(1, async () =>
  joinComponents(await measureEnforcer(), await measureSurroundings(COLLECTORS, surroundings, 0)),
);
print('the same measured whole, every digest known', again, 'ms');
watch.stop();
