import { createRequire } from 'node:module';
import type * as CedarModule from '@cedar-policy/cedar-wasm/nodejs';

export type Cedar = typeof CedarModule;

const require = createRequire(import.meta.url);
const MODULE = '@cedar-policy/cedar-wasm/nodejs';

let loaded: Cedar | undefined;

/**
 * Runs `use` with this thread's Cedar. Loading takes some 20 ms, once.
 *
 * INVARIANT: an instance that threw is never used again. Cedar reports its own errors as values; what it throws is a
 * WebAssembly trap or an exhausted stack, after which the instance's memory cannot be trusted. Its preparsed policy
 * sets go with it.
 */
export function withCedar<T>(use: (cedar: Cedar) => T): T {
  const cedar = loaded ?? load();
  loaded = cedar;
  try {
    return use(cedar);
  } catch (error) {
    loaded = undefined;
    throw error;
  }
}

function load(): Cedar {
  // A fresh evaluation of the module is a fresh WebAssembly instance.
  delete require.cache[require.resolve(MODULE)];
  const cedar: Cedar = require(MODULE);
  return cedar;
}
