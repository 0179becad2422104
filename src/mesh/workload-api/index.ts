export { workloadApiTarget } from './endpoint.ts';
export type { WitIdentity, X509Identity } from './identities.ts';
export { type Watcher, WorkloadApi, type WorkloadApiOptions } from './workload-api.ts';
