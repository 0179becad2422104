import { LocalGate } from '../access/gate.ts';
import { DEFAULT_CONFIG } from '../config/index.ts';
import { addOperations, openApiDocument } from './api.ts';
import { Api } from './operation.ts';

/** The OpenAPI document without a daemon: operations describe themselves before anything is asked of them. */
export function describeApi(): object {
  const api = new Api(new LocalGate('urn:writ:nobody'));
  // Nothing of it is read until a request comes, and none does.
  addOperations(api, { config: DEFAULT_CONFIG } as Parameters<typeof addOperations>[1]);
  return openApiDocument(api);
}
