export { WitnessClient, type WitnessClientOptions } from './witness-client.ts';
export {
  ENDPOINT_VARIABLE,
  type Watcher,
  type WitIdentity,
  WorkloadApi,
  type WorkloadApiOptions,
  workloadApiTarget,
  type X509Identity,
} from './workload-api/index.ts';
