import { expect, test } from 'vitest';
import { type Digest, isJsonObject, parseJson } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import {
  measurementOf,
  type Supervision,
  serializeMeasurement,
  statementDigest,
  withSupervision,
} from '../environment/index.ts';
import type { DecisionReceipt } from './decision-receipt.ts';
import { Findings } from './findings.ts';
import { verifyEvidenceParts } from './verify-evidence-parts.ts';

const image: Digest = `sha256:${'0a'.repeat(32)}`;
const supervision: Supervision = {
  ...{ program: 'agent', pid: 1, startTicks: 1, at: 1, uid: 0, gid: 0, image },
  ...{ tracerPid: 0, foreignNamespaces: [], changed: [], components: [] },
};
const plain = measurementOf([], 'self', 1);
const boot = measurementOf([], 'self', 1, '00000000-0000-4000-8000-000000000000');
const supervised = withSupervision(plain, supervision);

test.each([
  ['nothing more', plain, undefined, true],
  ['a boot', boot, undefined, false],
  ['a supervisor', supervised, undefined, false],
  ['a supervisor, as it states', supervised, supervised, true],
  ['another supervisor than it states', supervised, plain, false],
])('a receipt goes with a measurement that says %s', (_what, measurement, stated, isAccepted) => {
  const json = parseJson(serializeMeasurement(measurement), 'request.malformed');
  if (isDenial(json) || !isJsonObject(json)) throw new TypeError('no measurement');
  const findings = new Findings();
  const statement = stated && statementDigest(stated);
  const environment = { digest: plain.digest, assurance: 'self', measuredAtSeconds: 1 };
  // As far as it is looked at here.
  const receipt = {
    ...{ evidence: { measurement: 'address' } },
    environment: { ...environment, ...(statement && { statement }) },
  } as unknown as DecisionReceipt;
  verifyEvidenceParts(receipt, {} as never, { address: json }, findings);
  const problem = 'evidence.measurement: not the environment the decision was made in';
  expect(findings.problems).toEqual(isAccepted ? [] : [problem]);
});
