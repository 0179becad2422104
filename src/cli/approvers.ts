import { isUri } from '../artifact/index.ts';
import type { Approver, GovernanceState } from '../governance/index.ts';
import { type Home, isLocalName } from '../governor/index.ts';
import type { SshPublicKey } from '../key/index.ts';
import { failure, usageError } from './cli-error.ts';

/** The subject of a person given by name (`ada`) or by URI. */
export function approverSubject(home: Home, nameOrUri: string): string {
  if (isLocalName(nameOrUri)) return home.person(nameOrUri);
  if (isUri(nameOrUri)) return nameOrUri;
  throw usageError(
    `"${nameOrUri}" is neither a name nor a URI`,
    'names have letters, digits and . _ ~ - only, such as "ada"',
  );
}

/** A subject as short as it is unambiguous here. */
export function approverName(home: Home, subject: string): string {
  const prefix = home.person('');
  const name = subject.startsWith(prefix) ? subject.slice(prefix.length) : '';
  return isLocalName(name) ? name : subject;
}

/** Whose key this is. */
export function approverOfKey(state: GovernanceState, { thumbprint }: SshPublicKey): Approver {
  const approver = state.approvals.approvers.find(({ keys }) =>
    keys.some(({ key }) => key.thumbprint === thumbprint),
  );
  if (approver !== undefined) return approver;
  throw failure(
    'not_found',
    'no approver is enrolled with this key',
    'run "writ approval enroll NAME --role ROLE --key FILE.pub"',
  );
}
