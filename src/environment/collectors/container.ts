import { digestOf, isDigest } from '../../codec/index.ts';
import { type Component, collectedBy } from '../component.ts';
import { readBoundedText } from './bounded-text.ts';

/** Podman tells it inside the container; others are told by whoever starts it. */
const CONTAINERENV = '/run/.containerenv';
const MOUNTINFO = '/proc/self/mountinfo';
const MAX_BYTES = 64 * 1024;
const MAX_MOUNTINFO_BYTES = 1024 * 1024;
/** `registry/name@sha256:…`, as orchestrators write an image that is pinned. */
const PINNED_IMAGE = /^([A-Za-z0-9][A-Za-z0-9._:/-]{0,254})@(sha256:[0-9a-f]{64})$/;

export interface ContainerFiles {
  readonly containerenv?: string;
  readonly mountinfo?: string;
}

/**
 * The container image, when the orchestrator tells it (spec/environment.md §4): as `told`, else by Podman's own file.
 * Nobody inside a container can verify that; it is the word of whoever started it. Where nobody tells, the layers of its
 * root as the kernel has them mounted, by the weaker collector `mountinfo`: they are names on one host, no image's digest.
 */
export async function measureContainer(
  told: string | undefined,
  atSeconds: number,
  { containerenv = CONTAINERENV, mountinfo = MOUNTINFO }: ContainerFiles = {},
): Promise<Component[]> {
  if (told !== undefined && told !== '') {
    const [, name, digest] = PINNED_IMAGE.exec(told) ?? [];
    const image = name !== undefined && isDigest(digest) ? [{ kind: 'container', name, digest }] : [];
    return collectedBy('container', atSeconds, image);
  }
  const text = await readBoundedText(containerenv, MAX_BYTES);
  const name = text && /^image="([A-Za-z0-9][A-Za-z0-9._:/@-]{0,254})"$/m.exec(text)?.[1];
  const id = text && /^imageid="([0-9a-f]{64})"$/m.exec(text)?.[1];
  if (name !== undefined && name !== '' && id !== undefined) {
    return collectedBy('container', atSeconds, [{ kind: 'container', name, digest: `sha256:${id}` }]);
  }
  const layers = layersOf((await readBoundedText(mountinfo, MAX_MOUNTINFO_BYTES)) ?? '');
  if (layers.length === 0) return [];
  const digest = digestOf(`writ/layers@v1\n${layers.join('\n')}`);
  return collectedBy('mountinfo', atSeconds, [{ kind: 'container', name: 'layers', digest }]);
}

/** The lower layers of the root, topmost first (proc_pid_mountinfo(5)); none where the root is no overlay. */
function layersOf(mountinfo: string): string[] {
  // The last one mounted there is the one that is seen.
  const line = mountinfo.split('\n').findLast((text) => text.split(' ')[4] === '/');
  const [, type, , options] = line?.split(' - ')[1]?.match(/^(\S+) (\S+) (.+)$/) ?? [];
  if (type !== 'overlay' || options === undefined) return [];
  const layers = options
    .split(',')
    .flatMap((option) => /^(?:lowerdir|datadir)\+?=(.+)$/.exec(option)?.[1]?.split(':') ?? [])
    .filter((layer) => layer !== '');
  // Docker puts one that is made for each container above those of the image.
  return layers[0]?.includes('/overlay2/l/') ? layers.slice(1) : layers;
}
