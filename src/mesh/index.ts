export { WitnessClient, type WitnessClientOptions } from './witness-client.ts';
