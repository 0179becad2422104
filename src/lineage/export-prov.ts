import type { JsonObject, JsonValue } from '../codec/index.ts';
import { timeOf } from './describe-entry.ts';
import type { LineageEntry } from './lineage-entry.ts';

type Records = Map<string, JsonObject>;

/** A qualified name of another record or type, as PROV-JSON writes values that are names. */
type Name = { readonly $: string; readonly type: 'prov:QUALIFIED_NAME' };

const SEPARATORS = /[!'()*.]/g;

/**
 * Gathers executions into one W3C PROV-JSON document. Executions are activities; artifacts' tokens, policies and results
 * are entities; who holds, issues and initiates are agents. Each thing is described once, however often it is met.
 */
export class ProvDocument {
  readonly #domain: string;
  readonly #kinds = new Map<string, Records>();
  /** Relations, to say none twice. */
  readonly #said = new Set<string>();

  /** @param domain the trust domain, under which names that are not global stand. */
  constructor(domain: string) {
    this.#domain = domain;
  }

  add(entry: LineageEntry): void {
    const { executionId, parentId, decision, end } = entry;
    const activity = name('execution', executionId);
    this.#put('activity', activity, {
      'prov:type': type(decision.verdict === 'permit' ? 'Execution' : 'Denial'),
      'prov:startTime': timeOf(decision.atMs),
      ...(decision.verdict === 'deny'
        ? { 'prov:endTime': timeOf(decision.atMs) }
        : end && { 'prov:endTime': timeOf(end.atMs) }),
      'writ:tool': decision.tool,
      'writ:verdict': decision.verdict,
      ...(decision.code === undefined ? {} : { 'writ:code': decision.code }),
      ...(end === undefined ? {} : { 'writ:outcome': end.status }),
      'writ:log': decision.log,
      'writ:index': entry.index,
      'writ:leafHash': entry.leafHash,
      'writ:verification': entry.verification.decision,
    });
    if (parentId !== undefined) {
      const informant = name('execution', parentId);
      this.#mention('activity', informant);
      this.#relate('wasInformedBy', { 'prov:informed': activity, 'prov:informant': informant });
    }
    this.#addAuthority(entry, activity);
    this.#addPolicy(entry, activity);
    if (end?.result !== undefined) {
      const result = name('result', end.result.digest);
      this.#put('entity', result, { 'prov:type': type('Result'), 'writ:bytes': end.result.bytes });
      this.#relate('wasGeneratedBy', {
        'prov:entity': result,
        'prov:activity': activity,
        'prov:time': timeOf(end.atMs),
      });
    }
  }

  /** Members in the order they were met; relations have blank names. */
  toJSON(): JsonObject {
    const document: Record<string, JsonValue> = {
      prefix: {
        writ: 'urn:writ:prov:',
        execution: 'urn:uuid:',
        agent: 'urn:writ:agent:',
        key: 'urn:writ:key:',
        token: `urn:writ:${encode(this.#domain)}:token:`,
        policy: 'urn:writ:policy:',
        result: `urn:writ:${encode(this.#domain)}:result:`,
      },
    };
    for (const [kind, records] of this.#kinds) document[kind] = Object.fromEntries(records);
    return document;
  }

  #addAuthority({ decision, origin, delegations }: LineageEntry, activity: string): void {
    const { artifact } = decision;
    if (artifact === undefined || origin === undefined) return;
    const issuer = this.#agent(origin.issuer, 'Issuer');
    let responsible =
      origin.initiator === undefined ? undefined : this.#agent(origin.initiator.id, origin.initiator.kind);
    let attributedTo = issuer;
    let parent: string | undefined;
    for (const { token, holder, subjects } of delegations) {
      const entity = name('token', token);
      const [subject] = subjects;
      const delegate =
        subjects.length === 1 && subject !== undefined ? this.#agent(subject) : this.#key(holder);
      this.#put('entity', entity, {
        'prov:type': type('AuthorizationToken'),
        'writ:jti': token,
        'writ:holder': holder,
      });
      this.#relate('wasAttributedTo', { 'prov:entity': entity, 'prov:agent': attributedTo });
      if (parent !== undefined) {
        this.#relate('wasDerivedFrom', { 'prov:generatedEntity': entity, 'prov:usedEntity': parent });
      }
      if (responsible !== undefined && responsible !== delegate) {
        this.#relate('actedOnBehalfOf', {
          'prov:delegate': delegate,
          'prov:responsible': responsible,
          'prov:activity': activity,
        });
      }
      [parent, attributedTo, responsible] = [entity, delegate, delegate];
    }
    if (parent === undefined) return;
    this.#relate('used', { 'prov:activity': activity, 'prov:entity': parent });
    this.#relate('wasAssociatedWith', { 'prov:activity': activity, 'prov:agent': attributedTo });
  }

  #addPolicy({ policy }: LineageEntry, activity: string): void {
    if (policy === undefined) return;
    const entity = name('policy', policy.digest);
    this.#put('entity', entity, {
      'prov:type': type('PolicyBundle'),
      'writ:id': policy.id,
      'writ:digest': policy.digest,
    });
    this.#relate('used', { 'prov:activity': activity, 'prov:entity': entity });
    if (policy.published !== undefined) {
      this.#relate('wasAttributedTo', {
        'prov:entity': entity,
        'prov:agent': this.#agent(policy.published.actor),
      });
    }
  }

  #agent(subject: string, kind?: string): string {
    const agent = name('agent', subject);
    const known = { human: 'prov:Person', agent: 'prov:SoftwareAgent', workload: 'prov:SoftwareAgent' };
    const named = Object.entries(known).find(([initiator]) => initiator === kind)?.[1];
    const provType = named === undefined ? kind && type(kind) : qualified(named);
    this.#put('agent', agent, { 'writ:subject': subject, ...(provType ? { 'prov:type': provType } : {}) });
    return agent;
  }

  #key(thumbprint: string): string {
    const agent = name('key', thumbprint);
    this.#put('agent', agent, { 'writ:thumbprint': thumbprint });
    return agent;
  }

  /** A thing said to be there, until it is described. */
  #mention(kind: string, id: string): void {
    if (!this.#recordsOf(kind).has(id)) this.#recordsOf(kind).set(id, {});
  }

  #put(kind: string, id: string, attributes: JsonObject): void {
    this.#recordsOf(kind).set(id, { ...this.#recordsOf(kind).get(id), ...attributes });
  }

  /** The same relation is the same record. */
  #relate(kind: string, attributes: Readonly<Record<string, string>>): void {
    const said = JSON.stringify([kind, attributes]);
    if (this.#said.has(said)) return;
    this.#said.add(said);
    this.#recordsOf(kind).set(`_:r${this.#said.size}`, { ...attributes });
  }

  #recordsOf(kind: string): Records {
    const records = this.#kinds.get(kind) ?? new Map<string, JsonObject>();
    this.#kinds.set(kind, records);
    return records;
  }
}

/** A name whose local part has only letters, digits, `-`, `_`, `~` and percent escapes, whatever it is made from. */
function name(prefix: string, local: string): string {
  return `${prefix}:${encode(local)}`;
}

function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    SEPARATORS,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function type(local: string): Name {
  return qualified(name('writ', local));
}

function qualified(text: string): Name {
  return { $: text, type: 'prov:QUALIFIED_NAME' };
}
