import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A file system of its own that can be filled. Only root, and only where it may mount. */
export class SmallDisk {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** @returns undefined, and says so, where none can be mounted. */
  static mount(folder: string, size: string): SmallDisk | undefined {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const args = ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'tmpfs', folder];
    const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
    if (isRoot && spawnSync('mount', args, { stdio: 'ignore' }).status === 0) return new SmallDisk(folder);
    process.stderr.write('SKIPPED: a file system of its own needs root and the right to mount\n');
    return undefined;
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  /** Takes all but so many bytes. */
  fill(leaveBytes = 0): void {
    const free = this.freeBytes - leaveBytes;
    if (free <= 0) return;
    try {
      writeFileSync(join(this.folder, 'ballast'), Buffer.alloc(free));
    } catch (error) {
      // Others write as well: it is full all the same.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    }
  }

  free(): void {
    rmSync(join(this.folder, 'ballast'), { force: true });
  }

  unmount(): void {
    spawnSync('umount', ['-l', this.folder], { stdio: 'ignore' });
  }
}
