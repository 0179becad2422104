export { type Cosigned, Witness, type WitnessAnswer, type WitnessOptions } from './witness.ts';
export { createWitnessServer, type WitnessEvent, type WitnessServerOptions } from './witness-server.ts';
