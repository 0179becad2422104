import { createInterface } from 'node:readline';
import type { JsonObject } from '../../../src/codec/index.ts';
import { FixtureServer } from './fixture-server.ts';

/** The fixture server on stdio. */
const server = new FixtureServer();
for await (const line of createInterface({ input: process.stdin })) {
  const send = (message: JsonObject): void => {
    process.stdout.write(`${JSON.stringify(message)}\n`);
  };
  void server.receive(JSON.parse(line) as JsonObject, send);
}
