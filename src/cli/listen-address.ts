import type { AddressInfo } from 'node:net';
import { usageError } from './cli-error.ts';

/** Where a program listens. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const LISTEN = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/;

/** Reads `HOST:PORT`, with an IPv6 address in brackets. */
export function parseListen(text: string, example: string): ListenAddress {
  const [, bracketed, plain, digits] = LISTEN.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port > 65_535) {
    throw usageError(`--listen "${text}" is not HOST:PORT`, `for example ${example}`);
  }
  return { host, port };
}

/** Whether only this machine can reach it. A name but `localhost` may mean anything. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

export function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
