import type { JsonObject, JsonValue } from '../../codec/index.ts';
import { type InputType, type PolicyBundle, quoteCedarString } from '../../policy/index.ts';

export interface ExactPolicy {
  readonly path: string;
  readonly text: string;
  /** Arguments that policies cannot see, or not as exactly as they were: the artifact has to bound those. */
  readonly unseen: readonly string[];
}

/**
 * A Cedar policy that permits one principal one tool with exactly these arguments, as far as policies see them.
 *
 * @returns undefined where the bundle does not define the tool.
 */
export function exactPolicy(
  bundle: PolicyBundle,
  call: { readonly id: string; readonly principal: string; readonly tool: string; readonly args: JsonObject },
): ExactPolicy | undefined {
  const { id, principal, tool, args } = call;
  const defined = bundle.tools.get(tool);
  if (defined === undefined) return undefined;
  const conditions: string[] = [];
  const unseen: string[] = Object.keys(args).filter((name) => !defined.input.members.has(name));
  for (const [name, { type, nullable, required }] of defined.input.members) {
    const member = `context.input[${quoteCedarString(name)}]`;
    const has = `context.input has ${quoteCedarString(name)}`;
    const value = Object.hasOwn(args, name) ? args[name] : undefined;
    if (value === undefined || (value === null && nullable)) {
      conditions.push(`!(${has})`);
      if (value === null) unseen.push(name);
      continue;
    }
    const literal = literalOf(type, value);
    if (literal === undefined) unseen.push(name);
    else conditions.push(required ? `${member} == ${literal}` : `${has} && ${member} == ${literal}`);
  }
  if (unseen.length === 0) conditions.push('context.unrepresented.isEmpty()');
  const text = `// Proposed from the denial ${id}.
@id(${quoteCedarString(`proposed-${id}`)})
permit (
  principal == Writ::Agent::${quoteCedarString(principal)},
  action == Writ::Action::${quoteCedarString(tool)},
  resource == Writ::Server::${quoteCedarString(defined.server)}
)
when {
  ${conditions.length === 0 ? 'true' : conditions.join(' &&\n  ')}
};
`;
  return { path: `proposed-${id}.cedar`, text, unseen };
}

/** Undefined for what has no literal that is as exact: lists are sets to policies, and records may be partial. */
function literalOf(type: InputType, value: JsonValue): string | undefined {
  switch (type.kind) {
    case 'string':
      return typeof value === 'string' && value.isWellFormed() ? quoteCedarString(value) : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? String(value) : undefined;
    case 'long':
      return typeof value === 'number' && Number.isSafeInteger(value) ? String(value + 0) : undefined;
    case 'decimal': {
      const text = typeof value === 'number' ? String(value + 0) : '';
      if (!/^-?\d{1,15}(\.\d{1,4})?$/.test(text)) return undefined;
      return `decimal("${text.includes('.') ? text : `${text}.0`}")`;
    }
    default:
      return undefined;
  }
}
