export { relayStreams } from './relay-streams.ts';
export { SupervisedPrograms, type SupervisedProgramsOptions } from './supervised-programs.ts';
