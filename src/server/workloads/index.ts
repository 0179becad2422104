export { readBundleFile } from './read-bundle-file.ts';
export { WorkloadTrust } from './workload-trust.ts';
