import { programFile } from '../../src/governor/index.ts';

/** The command line that scenarios start: this package's own, unless a test says which build of it to try. */
export const PROGRAM = process.env.WRIT_TEST_PROGRAM ?? programFile();
