import { FORBIDDEN_FOLDERS } from '../twenty-policies.ts';
import { type Contestant, mustPermit, mustRefuse } from './contestant.ts';
import { importPeer } from './peer-package.ts';

const NAME = '@microsoft/agent-governance-sdk';
const VERSION = '4.0.0';

interface AgentGovernance {
  readonly AgentMeshClient: {
    create(
      agentId: string,
      options: object,
    ): { executeWithGovernance(action: string, params: object): Promise<{ readonly decision: string }> };
  };
}

export async function agentGovernanceContestant(scratch: string): Promise<Contestant> {
  const { AgentMeshClient } = (await importPeer(scratch, NAME, VERSION)) as AgentGovernance;
  const client = AgentMeshClient.create('worker', {
    policyRules: [
      // Its conditions compare for equality only: a folder stands for itself, not for what is in it.
      ...FORBIDDEN_FOLDERS.map((path) => ({ action: 'fs.*', effect: 'deny', conditions: { path } })),
      { action: 'fs.read_text_file', effect: 'allow' },
    ],
  });
  const execute = async (action: string, path: string): Promise<void> => {
    const { decision } = await client.executeWithGovernance(action, { path });
    mustPermit(decision === 'allow');
  };
  return {
    name: 'agent-governance-sdk executeWithGovernance',
    version: VERSION,
    does: '20 flat rules, ring, trust score, hash-chained audit entry in memory',
    doesNot:
      'refuse a path outside a prefix (equality only); any signature or proof; anything durable; run the call',
    refuses: 'tool without a rule; path that a rule names',
    inFlight: 1,
    batch: 8000,
    async check() {
      await execute('fs.read_text_file', '/data/file.txt');
      await mustRefuse('another tool', () => execute('fs.write_file', '/data/file.txt'));
      await mustRefuse('a forbidden path', () => execute('fs.read_text_file', '/forbidden-18'));
    },
    prepare: () => (at) => execute('fs.read_text_file', `/data/file-${at}.txt`),
  };
}
