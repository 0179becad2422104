export { newApiToken } from './api-token.ts';
export { tokenCallerId } from './caller.ts';
