import {
  canonicalize,
  digestOf,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  jsonEquals,
  parseJsonObject,
} from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import type { BundledEntry, BundledExecution } from './bundle.ts';
import { encodeBase64 } from './dsse.ts';

export const STATEMENT = 'https://in-toto.io/Statement/v1';
/** What the predicate is: the receipts of one execution, each with its proof (spec/attestation.md). */
export const EXECUTION_PREDICATE = 'urn:writ:execution:v1';

/** The receipts of one execution as its log holds them. */
export type ProvenReceipts = Pick<BundledExecution, 'decision' | 'outcome'>;

const RECEIPT_LIMITS = { maxBytes: 65_535, maxDepth: 8 };
/** Two receipts, two proofs with a checkpoint of up to 512 KiB each, escaped. */
const STATEMENT_LIMITS = { maxBytes: 4 * 1024 * 1024, maxDepth: 16 };

/**
 * The in-toto Statement of an execution as JCS. Its subjects are the receipts: `sha256sum` of an entry's bytes finds it.
 * INVARIANT: a receipt stands in it once, as JSON whose JCS are the entry's bytes, so that what a reader reads is what
 * is proven.
 */
export function formatStatement({ decision, outcome }: ProvenReceipts): Uint8Array | Denial {
  const parts: Record<string, JsonObject> = {};
  for (const [name, part] of Object.entries({ decision, outcome })) {
    if (part === undefined || part === null) continue;
    const entry = Buffer.from(part.entry, 'base64');
    const receipt = parseJsonObject(entry, 'log.unavailable', RECEIPT_LIMITS);
    if (isDenial(receipt)) return receipt;
    if (canonicalize(receipt) !== entry.toString('utf8')) {
      return deny('log.unavailable', `the ${name} receipt is not in canonical form`);
    }
    parts[name] = { receipt, proof: part.proof };
  }
  const statement: JsonObject = {
    _type: STATEMENT,
    subject: subjectsOf(parts),
    predicateType: EXECUTION_PREDICATE,
    predicate: parts,
  };
  return Buffer.from(canonicalize(statement), 'utf8');
}

/** The receipts of a Statement from an untrusted source, as log entries whose proofs are still to be verified. */
export function parseStatement(bytes: Uint8Array): ProvenReceipts | Denial {
  const json = parseJsonObject(bytes, 'request.malformed', STATEMENT_LIMITS);
  if (isDenial(json)) return json;
  const { _type, predicateType, subject, predicate } = json;
  if (_type !== STATEMENT || predicateType !== EXECUTION_PREDICATE || !isJsonObject(predicate)) {
    return deny('request.malformed', `not a Statement of ${EXECUTION_PREDICATE}`);
  }
  const { decision, outcome, ...unknown } = predicate;
  const decided = entryOf(decision);
  const ended = outcome === undefined ? undefined : entryOf(outcome);
  const wellFormed =
    Object.keys(json).length === 4 &&
    Object.keys(unknown).length === 0 &&
    decided !== undefined &&
    (outcome === undefined || ended !== undefined);
  if (!wellFormed) return deny('request.malformed', 'the predicate of the Statement is malformed');
  if (subject === undefined || !jsonEquals(subject, subjectsOf(predicate))) {
    return deny('log.unavailable', 'the subjects of the Statement are not its receipts');
  }
  return { decision: decided, ...(ended && { outcome: ended }) };
}

function subjectsOf(parts: JsonObject): JsonValue[] {
  return ['decision', 'outcome'].flatMap((name) => {
    const part = parts[name];
    if (!isJsonObject(part) || part.receipt === undefined) return [];
    const sha256 = digestOf(canonicalize(part.receipt)).replace('sha256:', '');
    return [{ name: `${name}.json`, digest: { sha256 } }];
  });
}

function entryOf(part: JsonValue | undefined): BundledEntry | undefined {
  if (!isJsonObject(part) || Object.keys(part).length !== 2) return undefined;
  const { receipt, proof } = part;
  if (!isJsonObject(receipt) || typeof proof !== 'string') return undefined;
  return { entry: encodeBase64(Buffer.from(canonicalize(receipt), 'utf8')), proof };
}
