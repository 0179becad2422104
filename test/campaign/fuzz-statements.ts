import { canonicalize, isJsonObject, type JsonValue, parseJson } from '../../src/codec/index.ts';
import { type Denial, isDenial, type ReasonCode } from '../../src/denial/index.ts';
import { measurementOf, parseMeasurement, serializeMeasurement } from '../../src/environment/index.ts';
import { parseGovernanceEvent, serializeGovernanceEvent } from '../../src/governance/index.ts';
import { bundleExecution, verifyEvidence } from '../../src/governor/index.ts';
import { readKeyFile } from '../../src/key/index.ts';
import { parsePolicyBundle } from '../../src/policy/index.ts';
import {
  argumentsOfProof,
  parseBundle,
  parseDecisionReceipt,
  parseOutcomeReceipt,
} from '../../src/receipt/index.ts';
import { openSqliteLogReader } from '../../src/storage/index.ts';
import { noteVerifier } from '../../src/tlog/index.ts';
import { must, TestDomain, testBundle } from '../support/trust-domain.ts';
import type { FuzzTarget, Verdict } from './fuzz-targets.ts';
import { mutateBytes, mutateJson, mutateText, pickFrom } from './mutate.ts';
import type { Random } from './random.ts';

/** Entries of both logs, measurements, evidence bundles, policy bundles: real ones, bent. */
export async function statementTargets(): Promise<FuzzTarget[]> {
  const { events, receipts, bundle, logKey } = await realStatements();
  const measurement = measurementOf(
    [
      { kind: 'node', name: 'v24.21.0', digest: `sha256:${'0a'.repeat(32)}` },
      { kind: 'tool', name: 'mcp://fs/tools/read', digest: `sha256:${'0b'.repeat(32)}` },
    ],
    'self',
    1_700_000_000,
  );
  const policy = Buffer.from(testBundle().bytes).toString('utf8');
  const entryOf = (text: string): string => {
    const json = jsonOf(text);
    const executions =
      typeof json === 'object' && json !== null && 'executions' in json ? json.executions : [];
    const [first] = Array.isArray(executions) ? executions : [];
    return isJsonObject(first) ? canonicalize(first.decision ?? null) : '';
  };
  const decision = entryOf(bundle);
  const decisions = receipts.filter((entry) => entry.includes('writ/decision@'));
  const outcomes = receipts.filter((entry) => entry.includes('writ/outcome@'));
  return [
    statement('governance event', events, 'revocation.stale', parseGovernanceEvent, (event, bytes) =>
      Buffer.from(serializeGovernanceEvent(event)).equals(bytes) ? 'accepted' : 'not the canonical bytes',
    ),
    statement(
      'measurement',
      [Buffer.from(serializeMeasurement(measurement)).toString('utf8')],
      undefined,
      parseMeasurement,
      (parsed) =>
        measurementOf(parsed.components, parsed.assurance, parsed.measuredAtSeconds).digest === parsed.digest
          ? 'accepted'
          : 'a digest that is not of its components',
    ),
    statement('decision receipt', decisions, 'log.unavailable', parseDecisionReceipt, ({ verdict, code }) =>
      (verdict === 'permit') === (code === undefined) ? 'accepted' : 'a verdict that its code contradicts',
    ),
    statement('outcome receipt', outcomes, 'log.unavailable', parseOutcomeReceipt, () => 'accepted'),
    statement('evidence bundle, parsed', [bundle], 'request.malformed', parseBundle, () => 'accepted'),
    {
      name: 'evidence bundle, verified',
      feed(random) {
        const input = hostileStatement(random, [bundle]);
        const { verified, problems } = verifyEvidence(input, { logs: [logKey] });
        if (!verified) return problems.length > 0 ? 'refused' : 'not verified, and no problem';
        // Evidence may be withheld and proofs say the same in another bundle: the decision is the one that was logged.
        const entry = parseJson(input, 'request.malformed');
        const same =
          !isDenial(entry) &&
          entryOf(Buffer.from(input).toString('utf8')).slice(0, 200) === decision.slice(0, 200);
        return same ? 'accepted' : 'a decision that was never logged verifies';
      },
    },
    {
      name: 'arguments of a proof',
      feed(random) {
        const pop = mutateText(random, 'eyJhIjoxfQ.eyJodGEiOnsicGF0aCI6Ii9hIn0sImp0aSI6IngifQ.AAAA');
        return argumentsOfProof(random.chance(0.1) ? null : pop) === undefined ? 'refused' : 'accepted';
      },
    },
    statement('policy bundle', [policy], 'policy.unavailable', parsePolicyBundle, (parsed, bytes) =>
      Buffer.compare(parsed.bytes, bytes) === 0 ? 'accepted' : 'not the canonical bytes',
    ),
  ];
}

/** What a real governor writes about a permit, a denial and an outcome. */
async function realStatements() {
  const domain = await TestDomain.create();
  try {
    const opened = await domain.open();
    const { audience } = opened;
    const chain = [domain.issue()];
    const permitted = await opened.governor.run(domain.call(chain, { audience }), async () => ({
      status: 'succeeded',
      value: undefined,
      evidence: Buffer.from('result'),
    }));
    const denied = { ...domain.call(chain, { audience }), tool: 'mcp://fs/tools/none' };
    await opened.governor.run(denied, never);
    await opened.close();
    const reader = openSqliteLogReader(domain.home.executionLogFolder(opened.log));
    const receipts = reader.read(0, reader.head().size).map((entry) => Buffer.from(entry).toString('utf8'));
    reader.close();
    const governance = openSqliteLogReader(domain.home.governanceFolder);
    const events = governance
      .read(0, governance.head().size)
      .map((entry) => Buffer.from(entry).toString('utf8'));
    governance.close();
    const bundle = JSON.stringify(must(await bundleExecution(domain.home, permitted.executionId)));
    const key = must(readKeyFile(domain.home.logKeyFile(opened.log)));
    return {
      events,
      receipts,
      bundle,
      logKey: noteVerifier(domain.home.executionOrigin(opened.log), key.publicKey),
    };
  } finally {
    domain.dispose();
  }
}

async function never(): Promise<never> {
  throw new TypeError('nothing runs here');
}

function statement<T>(
  name: string,
  samples: readonly string[],
  code: ReasonCode | undefined,
  parse: (bytes: Uint8Array) => T | Denial,
  judge: (value: Exclude<T, Denial>, bytes: Uint8Array) => Verdict,
): FuzzTarget {
  for (const sample of samples) must(parse(Buffer.from(sample)));
  return {
    name,
    feed(random) {
      const bytes = hostileStatement(random, samples);
      const parsed = parse(bytes);
      if (!isDenial(parsed)) return judge(parsed as Exclude<T, Denial>, bytes);
      return code === undefined || parsed.code === code ? 'refused' : `denied with ${parsed.code}`;
    },
  };
}

/** Bent as JSON (mostly written canonically, so that it gets past the door), as text, or as bytes. */
function hostileStatement(random: Random, samples: readonly string[]): Uint8Array {
  const sample = pickFrom(random, samples);
  const other = pickFrom(random, samples);
  const kind = random.fraction();
  if (kind < 0.6) {
    const value = mutateJson(random, jsonOf(sample), jsonOf(other));
    return Buffer.from(random.chance(0.8) ? canonicalOr(value) : JSON.stringify(value));
  }
  return kind < 0.85
    ? Buffer.from(mutateText(random, sample, other))
    : mutateBytes(random, Buffer.from(sample));
}

const parsedSamples = new Map<string, JsonValue>();

function jsonOf(sample: string): JsonValue {
  const known = parsedSamples.get(sample);
  if (known !== undefined) return known;
  const json: JsonValue = JSON.parse(sample);
  if (parsedSamples.size < 100) parsedSamples.set(sample, json);
  return json;
}

/** Lone surrogates have no canonical form. */
function canonicalOr(value: JsonValue): string {
  try {
    return canonicalize(value);
  } catch {
    return JSON.stringify(value);
  }
}
