import { FORBIDDEN_FOLDERS } from '../twenty-policies.ts';
import { type Contestant, mustPermit, mustRefuse } from './contestant.ts';
import { importPeer } from './peer-package.ts';

const NAME = '@cedar-policy/cedar-wasm';
const VERSION = '4.13.0';
const POLICY_SET = 'peers';

interface Cedar {
  preparsePolicySet(id: string, policies: object): { readonly type: string };
  statefulIsAuthorized(call: object): {
    readonly type: string;
    readonly response?: { readonly decision: string };
  };
}

export async function cedarContestant(scratch: string): Promise<Contestant> {
  const cedar = (await importPeer(scratch, NAME, VERSION, `${NAME}/nodejs`)) as Cedar;
  const policies = [
    'permit (principal == Agent::"worker", action == Action::"read_text_file", resource) when { context.path like "/data/*" };',
    ...FORBIDDEN_FOLDERS.map(
      (folder) => `forbid (principal, action, resource) when { context.path like "${folder}/*" };`,
    ),
  ];
  const staticPolicies = Object.fromEntries(policies.map((text, at) => [`policy-${at}`, text]));
  if (cedar.preparsePolicySet(POLICY_SET, { staticPolicies }).type !== 'success')
    throw new Error('cannot be used: its policies do not parse');
  const authorize = (action: string, path: string): void => {
    const answer = cedar.statefulIsAuthorized({
      principal: { type: 'Agent', id: 'worker' },
      action: { type: 'Action', id: action },
      resource: { type: 'Server', id: 'fs' },
      context: { path },
      entities: [],
      preparsedPolicySetId: POLICY_SET,
    });
    mustPermit(answer.type === 'success' && answer.response?.decision === 'allow');
  };
  return {
    name: 'cedar-wasm, preparsed',
    version: VERSION,
    does: '20 policies over tool and path, without a schema',
    doesNot: 'any signature, delegation, replay, any record',
    refuses: 'path outside the prefix; tool not permitted',
    inFlight: 1,
    batch: 2000,
    async check() {
      authorize('read_text_file', '/data/file.txt');
      await mustRefuse('another path', () => authorize('read_text_file', '/etc/passwd'));
      await mustRefuse('another tool', () => authorize('write_file', '/data/file.txt'));
    },
    prepare: () => (at) => authorize('read_text_file', `/data/file-${at}.txt`),
  };
}
