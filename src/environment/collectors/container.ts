import { readFile } from 'node:fs/promises';
import { isDigest } from '../../codec/index.ts';
import type { Component } from '../component.ts';

/** Podman tells it inside the container; others are told by whoever starts it. */
const CONTAINERENV = '/run/.containerenv';
const MAX_BYTES = 64 * 1024;
/** `registry/name@sha256:…`, as orchestrators write an image that is pinned. */
const PINNED_IMAGE = /^([A-Za-z0-9][A-Za-z0-9._:/-]{0,254})@(sha256:[0-9a-f]{64})$/;

/**
 * The container image, when the orchestrator tells it (spec/environment.md §4): as `told`, else by Podman's own file.
 * Nobody inside a container can verify that; it is the word of whoever started it.
 */
export async function measureContainer(told: string | undefined, file = CONTAINERENV): Promise<Component[]> {
  if (told !== undefined && told !== '') {
    const [, name, digest] = PINNED_IMAGE.exec(told) ?? [];
    return name !== undefined && isDigest(digest) ? [{ kind: 'container', name, digest }] : [];
  }
  try {
    const bytes = await readFile(file);
    if (bytes.byteLength > MAX_BYTES) return [];
    const text = bytes.toString('utf8');
    const name = /^image="([A-Za-z0-9][A-Za-z0-9._:/@-]{0,254})"$/m.exec(text)?.[1];
    const id = /^imageid="([0-9a-f]{64})"$/m.exec(text)?.[1];
    return name === undefined || id === undefined
      ? []
      : [{ kind: 'container', name, digest: `sha256:${id}` }];
  } catch {
    return [];
  }
}
