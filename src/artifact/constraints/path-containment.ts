import type { JsonObject } from '../../codec/index.ts';
import type { Denial } from '../../denial/index.ts';
import type { Candidate } from './candidate.ts';
import type { Constraint } from './constraint.ts';
import { acceptsEveryListedValue } from './listed-values.ts';
import { malformed, memberOf, type TypeDefinition } from './parsing.ts';
import type { Work } from './work.ts';

/** PATH_MAX of Linux. */
export const MAX_PATH_CHARACTERS = 4096;

/**
 * `path_containment`: an absolute POSIX path at or beneath `root` (`spec/artifact-constraints.md`). Purely lexical:
 * whether a symbolic link leads elsewhere is for the tool to find out.
 */
export class PathContainment implements Constraint {
  readonly type = 'path_containment';
  /** Normalised. */
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  accepts({ value }: Candidate): boolean {
    if (typeof value !== 'string') return false;
    const path = normalizePath(value);
    return path !== undefined && isWithin(this.root, path);
  }

  subsumes(child: Constraint, work: Work): boolean {
    if (child instanceof PathContainment) return isWithin(this.root, child.root);
    return acceptsEveryListedValue(this, child, work);
  }
}

export const PATH_CONTAINMENT: TypeDefinition = { members: ['root'], parse: parsePathContainment };

function parsePathContainment(json: JsonObject): Constraint | Denial {
  const root = memberOf(json, 'root');
  const path = typeof root === 'string' ? normalizePath(root) : undefined;
  return path === undefined
    ? malformed('path_containment.root must be an absolute path without ".." and NUL')
    : new PathContainment(path);
}

/**
 * The path without `.` segments and redundant separators, or undefined where it is refused: relative, too long, holding
 * NUL or a lone surrogate (which the system call would replace), or any `..` segment. A `..` is not resolved but
 * refused, because `/a/link/..` is not `/a` when `link` is a symbolic link.
 */
function normalizePath(text: string): string | undefined {
  if (text.length > MAX_PATH_CHARACTERS || !text.startsWith('/')) return undefined;
  if (text.includes('\0') || !text.isWellFormed()) return undefined;
  const segments: string[] = [];
  for (const segment of text.split('/')) {
    if (segment === '..') return undefined;
    if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return `/${segments.join('/')}`;
}

/** Both normalised; compared by whole segments. */
function isWithin(root: string, path: string): boolean {
  if (root === '/' || path === root) return true;
  return path.startsWith(root) && path.charAt(root.length) === '/';
}
