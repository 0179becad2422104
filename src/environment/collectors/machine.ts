import { createHmac } from 'node:crypto';
import { release } from 'node:os';
import { digestOf } from '../../codec/index.ts';
import type { Component } from '../component.ts';
import { readBoundedText } from './bounded-text.ts';

const MAX_TEXT_BYTES = 64 * 1024;
const MACHINE_ID = /^[0-9a-f]{32}$/;

/** Where the machine says what it is; tests have others. */
export interface MachineFiles {
  readonly version: string;
  readonly osRelease: string;
  readonly machineId: string;
}

export const MACHINE_FILES: MachineFiles = {
  version: '/proc/version',
  osRelease: '/etc/os-release',
  machineId: '/etc/machine-id',
};

/**
 * Kernel, operating system and machine (spec/environment.md §4). The machine's id is confidential, and the same for
 * everybody: what is told is a keyed hash, another one in every trust domain (machine-id(5)). What cannot be read is left
 * out, so that a binding on it does not hold.
 */
export async function measureMachine(
  domain: string,
  files: MachineFiles = MACHINE_FILES,
): Promise<Component[]> {
  const [version, os, id] = await Promise.all([
    readText(files.version),
    readText(files.osRelease),
    readText(files.machineId),
  ]);
  const machineId = id?.trim();
  return [
    ...(version === undefined ? [] : [{ kind: 'kernel', name: release(), digest: digestOf(version) }]),
    ...(os === undefined ? [] : [{ kind: 'os', name: nameOf(os), digest: digestOf(os) }]),
    ...(machineId === undefined || !MACHINE_ID.test(machineId)
      ? []
      : [{ kind: 'machine', name: domain, digest: keyed(machineId, domain) }]),
  ];
}

function keyed(machineId: string, domain: string): `sha256:${string}` {
  return `sha256:${createHmac('sha256', Buffer.from(machineId, 'hex')).update(`writ/machine@v1\n${domain}`).digest('hex')}`;
}

/** `debian-12`, as os-release(5) has it. */
function nameOf(osRelease: string): string {
  const field = (name: string) =>
    new RegExp(`^${name}="?([a-z0-9._-]{1,64})"?$`, 'm').exec(osRelease)?.[1] ?? 'unknown';
  return `${field('ID')}-${field('VERSION_ID')}`;
}

async function readText(path: string): Promise<string | undefined> {
  return (await readBoundedText(path, MAX_TEXT_BYTES)) || undefined;
}
