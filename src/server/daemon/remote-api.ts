import { AdministrativePolicy, readAdministrativePolicy } from '../access/administrative-policy.ts';
import { tokenCallerId } from '../access/caller.ts';
import { RemoteGate } from '../access/remote-gate.ts';
import { createApi } from '../api/api.ts';
import type { Config, Environment } from '../config/index.ts';
import type { DaemonPorts } from './daemon-ports.ts';
import { listenOnTcp, type TcpListener } from './tcp-listener.ts';

/**
 * Serves the API over TCP, where the configuration has it listen.
 *
 * @throws Error saying what of the configuration keeps it from that.
 */
export async function serveRemotely(
  ports: DaemonPorts,
  config: Config,
  environment: Environment,
): Promise<TcpListener | undefined> {
  const { listen, limits, daemon, administration } = config;
  if (listen === undefined) return undefined;
  const { home, clock, follower, logger, trustBundles } = ports;
  const certified = listen.tls?.callers ?? [];
  const reserved = certified.find(({ id }) => id.startsWith(tokenCallerId(home.domain, '')));
  // Else what a certificate did would stand in the log as done with a token.
  if (reserved !== undefined) throw new Error(`listen.tls.callers: ${reserved.id} is the name of API tokens`);
  const { maxStalenessSeconds } = daemon;
  const { domain } = home;
  const gate = new RemoteGate({
    domain,
    clock,
    follower,
    maxStalenessSeconds,
    limits,
    certified,
    logger,
    trustBundles,
  });
  const api = createApi(ports, gate);
  const text = readAdministrativePolicy(administration.policyFile);
  const policy = AdministrativePolicy.parse(text, api.operations, domain);
  if (!(policy instanceof AdministrativePolicy)) {
    throw new Error(`administration.policyFile: ${policy[0] ?? 'it does not parse'}`);
  }
  gate.useAdministrativePolicy(policy);
  const { trustBundles: files, workloadApi } = config.workloads;
  const asksWorkloads = files.length > 0 || workloadApi !== undefined;
  return listenOnTcp(api, listen, limits, environment, asksWorkloads);
}
