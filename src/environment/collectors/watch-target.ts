/** What a measuring has read: a file (there or not), or a folder and what is below it. */
export interface WatchTarget {
  readonly path: string;
  readonly isTree?: boolean;
  /** Folders of the tree, by their whole path, that do not belong to it. */
  readonly except?: readonly string[];
}

/** Told of everything that a collector reads. */
export type OnRead = (target: WatchTarget) => void;

/** Folders that no tree has, measured or watched. */
export function isForeignFolder(name: string): boolean {
  return name === 'node_modules' || name === '.git';
}
