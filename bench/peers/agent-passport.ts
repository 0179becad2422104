import { type Contestant, mustPermit, mustRefuse } from './contestant.ts';
import { importPeer } from './peer-package.ts';

const NAME = 'agent-passport-system';
const VERSION = '6.0.1';
const SCOPE = 'fs:read_text_file';

interface AgentPassport {
  generateKeyPair(): { readonly publicKey: string; readonly privateKey: string };
  createDelegation(options: object): { readonly delegationId: string };
  createActionIntent(options: object): object;
  evaluateIntent(options: object): { readonly verdict: string };
  readonly FloorValidatorV1: new () => object;
}

export async function agentPassportContestant(scratch: string): Promise<Contestant> {
  const passport = (await importPeer(scratch, NAME, VERSION)) as AgentPassport;
  const agent = passport.generateKeyPair();
  const evaluator = passport.generateKeyPair();
  const delegation = passport.createDelegation({
    delegatedTo: agent.publicKey,
    delegatedBy: evaluator.publicKey,
    scope: [SCOPE],
    maxDepth: 3,
    expiresInHours: 24,
    privateKey: evaluator.privateKey,
  });
  const validator = new passport.FloorValidatorV1();
  const validationContext = {
    floorVersion: '1.0',
    floorPrinciples: [],
    delegation: { ...delegation, revoked: false },
    agentRegistered: true,
    agentAttestationValid: true,
  };
  const intentOf = (path: string, scopeRequired = SCOPE): object =>
    passport.createActionIntent({
      agentId: 'worker',
      agentPublicKey: agent.publicKey,
      delegationId: delegation.delegationId,
      action: { type: 'read_text_file', target: path, scopeRequired },
      privateKey: agent.privateKey,
    });
  const evaluate = (intent: object): void => {
    const { verdict } = passport.evaluateIntent({
      intent,
      validator,
      validationContext,
      evaluatorId: 'evaluator',
      evaluatorPublicKey: evaluator.publicKey,
      evaluatorPrivateKey: evaluator.privateKey,
    });
    mustPermit(verdict === 'permit');
  };
  return {
    name: 'agent-passport-system evaluateIntent',
    version: VERSION,
    does: 'signature of the intent, floor checks against a delegation taken as given, signed decision',
    doesNot:
      'look at the path; hold the scope, which the agent names, against the call; the delegation’s signature; the twenty policies; replay; anything durable',
    refuses: 'altered intent; scope not delegated',
    inFlight: 1,
    batch: 200,
    async check() {
      evaluate(intentOf('/data/file.txt'));
      await mustRefuse('another scope', () => evaluate(intentOf('/data/file.txt', 'fs:write_file')));
      await mustRefuse('an altered intent', () =>
        evaluate({ ...intentOf('/data/file.txt'), agentId: 'another' }),
      );
    },
    prepare(count) {
      const intents = Array.from({ length: count }, (_, at) => intentOf(`/data/file-${at}.txt`));
      return (at) => evaluate(intents[at] ?? {});
    },
  };
}
