// Not through the folder's index, which would load the whole governor for `writ --version`.
export { programVersion as version } from '../governor/program.ts';
