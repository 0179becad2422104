import type { Define } from './command.ts';

/** A command: its file is loaded when it is called, so that no command pays for another's imports. */
export interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<{ readonly define: Define }>;
  /** Others that start with its name. */
  readonly commands?: Readonly<Record<string, CommandEntry>>;
}

/** Commands that share a first word. */
export interface CommandGroup {
  readonly summary: string;
  readonly commands: Readonly<Record<string, CommandEntry>>;
}

/** Every command, in the order help lists them. */
export const COMMANDS: Readonly<Record<string, CommandEntry | CommandGroup>> = {
  init: {
    summary: 'make a trust domain here, and put an MCP server under it',
    load: () => import('./init.ts'),
  },
  mcp: {
    summary: 'run an MCP server behind the gateway (for client configuration)',
    load: () => import('./mcp.ts'),
    commands: {
      serve: { summary: 'serve MCP over HTTP, behind the gateway', load: () => import('./mcp-serve.ts') },
      changes: {
        summary: 'how a server’s tools differ from what is pinned, and approve it',
        load: () => import('./mcp-changes.ts'),
      },
      connect: {
        summary: 'present calls of an agent to such a gateway, from stdio',
        load: () => import('./mcp-connect.ts'),
      },
    },
  },
  exec: {
    summary: 'run a program confined, if it is permitted',
    load: () => import('./exec.ts'),
    commands: {
      adopt: {
        summary: 'pin a program, and grant it to an agent',
        load: () => import('./exec-adopt.ts'),
      },
      shell: {
        summary: 'a shell for agents: every command of a line by "writ exec"',
        load: () => import('./exec-shell.ts'),
      },
    },
  },
  up: {
    summary: 'run the governor of this machine, for every enforcement point on it',
    load: () => import('./up.ts'),
  },
  supervise: {
    summary: 'run a program that the daemon starts, measures and vouches for',
    load: () => import('./supervise.ts'),
  },
  token: {
    summary: "tokens for the daemon's API over TCP",
    commands: {
      new: { summary: 'make a token for a caller, in a role', load: () => import('./token-new.ts') },
      list: { summary: 'show whose tokens are accepted', load: () => import('./token-list.ts') },
      revoke: { summary: 'accept them no longer', load: () => import('./token-revoke.ts') },
    },
  },
  config: {
    summary: "the daemon's configuration, writ.yaml",
    commands: {
      check: { summary: 'say what is wrong with it', load: () => import('./config-check.ts') },
      show: { summary: 'show what counts', load: () => import('./config-show.ts') },
    },
  },
  sdk: {
    summary: 'programs that govern their own functions',
    commands: {
      adopt: {
        summary: 'pin the tools of a program, and grant those that only read',
        load: () => import('./sdk-adopt.ts'),
      },
    },
  },
  hook: {
    summary: 'agents that ask before they use a tool',
    commands: {
      'claude-code': {
        summary: 'answer a PreToolUse hook of Claude Code (for its settings)',
        load: () => import('./hook-claude-code.ts'),
      },
      adopt: {
        summary: 'pin the tools of Claude Code, and grant those that only read',
        load: () => import('./hook-adopt.ts'),
      },
    },
  },
  demo: {
    summary: 'watch a real MCP server being governed, in a throwaway domain',
    load: () => import('./demo.ts'),
  },
  doctor: { summary: 'check that everything is in order', load: () => import('./doctor.ts') },
  key: {
    summary: 'signing keys',
    commands: { new: { summary: 'make a key file', load: () => import('./key-new.ts') } },
  },
  agent: {
    summary: 'who may hold artifacts',
    commands: {
      enroll: { summary: 'bind an agent name to its key', load: () => import('./agent-enroll.ts') },
    },
  },
  workload: {
    summary: 'SPIFFE identities of workloads',
    commands: {
      verify: { summary: 'verify one with a trust bundle', load: () => import('./workload-verify.ts') },
      fetch: { summary: 'ask the Workload API who this is', load: () => import('./workload-fetch.ts') },
      issuer: { summary: 'make an issuer, for development', load: () => import('./workload-issuer.ts') },
      issue: { summary: 'issue identities from it', load: () => import('./workload-issue.ts') },
    },
  },
  artifact: {
    summary: 'authorization artifacts: what agents may do',
    commands: {
      issue: { summary: 'grant tools to an agent', load: () => import('./artifact-issue.ts') },
      derive: { summary: 'hand part of an artifact on', load: () => import('./artifact-derive.ts') },
      propose: {
        summary: 'what would have permitted a denied call, and nothing else',
        load: () => import('./artifact-propose.ts'),
      },
      inspect: { summary: 'show what an artifact grants', load: () => import('./artifact-inspect.ts') },
      verify: { summary: 'verify a presentation for one call', load: () => import('./artifact-verify.ts') },
      revoke: {
        summary: 'revoke a token, agent, issuer, policy or environment',
        load: () => import('./artifact-revoke.ts'),
      },
    },
  },
  policy: {
    summary: 'Cedar policies: what the domain allows',
    commands: {
      check: { summary: 'validate a policy folder', load: () => import('./policy-check.ts') },
      publish: {
        summary: 'make a policy folder the active policy',
        load: () => import('./policy-publish.ts'),
      },
      test: { summary: 'try policies on written cases', load: () => import('./policy-test.ts') },
      simulate: {
        summary: 'what another policy would have changed',
        load: () => import('./policy-simulate.ts'),
      },
      show: { summary: 'show the active policy', load: () => import('./policy-show.ts') },
    },
  },
  approval: {
    summary: 'actions that wait for people',
    commands: {
      enroll: { summary: 'say who may approve, and as what', load: () => import('./approval-enroll.ts') },
      retire: { summary: 'retire an approver, or a key', load: () => import('./approval-retire.ts') },
      list: { summary: 'list what waits', load: () => import('./approval-list.ts') },
      show: { summary: 'show what an approval would permit', load: () => import('./approval-show.ts') },
      grant: { summary: 'approve a request', load: () => import('./approval-grant.ts') },
      deny: { summary: 'reject a request', load: () => import('./approval-deny.ts') },
      watch: { summary: 'tell of requests as they come', load: () => import('./approval-watch.ts') },
      review: {
        summary: 'close an approval that broke the glass',
        load: () => import('./approval-review.ts'),
      },
    },
  },
  env: {
    summary: 'environments: what a runtime is made of, and who vouches for it',
    commands: {
      measure: { summary: 'measure the runtime here', load: () => import('./env-measure.ts') },
      diff: { summary: 'name what differs from what is enrolled', load: () => import('./env-diff.ts') },
      enroll: {
        summary: 'put the runtime on record, with its TPM',
        load: () => import('./env-enroll.ts'),
      },
      show: { summary: 'show what is enrolled', load: () => import('./env-show.ts') },
      retire: { summary: 'count it no longer', load: () => import('./env-retire.ts') },
    },
  },
  log: {
    summary: 'what was decided',
    commands: {
      show: { summary: 'list decisions', load: () => import('./log-show.ts') },
      count: {
        summary: 'count decisions per agent, tool or code',
        load: () => import('./log-count.ts'),
      },
      index: { summary: 'bring what lists decisions up to date', load: () => import('./log-index.ts') },
      verify: { summary: 'check logs entry by entry', load: () => import('./log-verify.ts') },
      publish: {
        summary: 'publish checkpoints now, cosigned where there is a witness policy',
        load: () => import('./log-publish.ts'),
      },
      rebuild: {
        summary: 'restore tiles and checkpoint from the database',
        load: () => import('./log-rebuild.ts'),
      },
      replay: { summary: 'derive every decision again', load: () => import('./log-replay.ts') },
    },
  },
  receipt: {
    summary: 'the record of one execution',
    commands: {
      show: { summary: 'show one decision and what came of it', load: () => import('./receipt-show.ts') },
      bundle: { summary: 'pack the evidence of one execution', load: () => import('./receipt-bundle.ts') },
      verify: { summary: 'verify such a bundle, offline', load: () => import('./receipt-verify.ts') },
      export: {
        summary: 'write it in a format that other tools verify',
        load: () => import('./receipt-export.ts'),
      },
    },
  },
  witness: {
    summary: 'see for others that their logs only grow',
    commands: {
      new: { summary: 'make a witness: its key and its state', load: () => import('./witness-new.ts') },
      serve: {
        summary: 'cosign checkpoints of logs, over HTTP',
        load: () => import('./witness-serve.ts'),
      },
    },
  },
  evidence: {
    summary: 'what was sealed beside the logs',
    commands: {
      erase: { summary: 'forget what was asked, on record', load: () => import('./evidence-erase.ts') },
    },
  },
  lineage: {
    summary: 'which execution led to which',
    commands: {
      show: { summary: 'draw the executions as a tree', load: () => import('./lineage-show.ts') },
      bundle: { summary: 'pack the evidence of a whole lineage', load: () => import('./lineage-bundle.ts') },
      export: {
        summary: 'as OpenLineage events, W3C PROV or OpenTelemetry spans',
        load: () => import('./lineage-export.ts'),
      },
    },
  },
};
