export { WitnessClient, type WitnessClientOptions } from './witness-client.ts';
export {
  type Watcher,
  type WitIdentity,
  WorkloadApi,
  type WorkloadApiOptions,
  workloadApiTarget,
  type X509Identity,
} from './workload-api/index.ts';
