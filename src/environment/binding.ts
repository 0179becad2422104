import type { Digest } from '../codec/index.ts';
import type { Assurance } from './assurance.ts';
import type { Component } from './component.ts';

/** What a token demands of the runtime (`writ.environment`, spec/environment.md §3). Every member is a condition. */
export interface EnvironmentBinding {
  /** The measurement's digest is one of these. */
  readonly digests?: readonly Digest[];
  /** Each of these is measured, with this digest. */
  readonly components?: readonly Component[];
  readonly assurance?: Assurance;
  readonly maxAgeSeconds?: number;
  /** Quotes count only where they were made for this very artifact, after it was presented. */
  readonly quoteFor?: 'artifact';
}
