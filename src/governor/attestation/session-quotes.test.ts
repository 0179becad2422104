import { expect, test } from 'vitest';
import type { Digest } from '../../codec/index.ts';
import { MAX_QUOTES, measurementOf, type TpmAttester, withQuotes } from '../../environment/index.ts';
import { type QuoteSource, SessionQuotes } from './session-quotes.ts';

const digest = (number: number): Digest => `sha256:${number.toString(16).padStart(64, '0')}`;
const HERE = digest(1000);
const ELSEWHERE = digest(1001);
const MEASUREMENT = measurementOf([], 'self', 0);

/** As far as it is asked here: quotes are verified where a decision is made on them. */
const attester = { pcrs: [], maxAgeSeconds: 60 } as unknown as TpmAttester;
const attestation = new Uint8Array([1]);

/** A session’s quotes from a TPM that answers when it is let, on a clock that stands. */
function session({ isOpen = true } = {}) {
  const gate = Promise.withResolvers<void>();
  if (isOpen) gate.resolve();
  let nowMs = 1_000_000;
  let measurement = MEASUREMENT;
  const source: QuoteSource = {
    name: 'lab',
    quote: async () => {
      await gate.promise;
      return { attestation, signature: attestation };
    },
  };
  const quotes = new SessionQuotes(
    {
      source,
      clock: { wallMs: () => nowMs, monotonicMs: () => nowMs },
      findAttester: () => attester,
      isRunning: () => false,
      onChanged: () => {
        measurement = withQuotes(MEASUREMENT, quotes.all);
      },
    },
    HERE,
  );
  return {
    quotes,
    open: () => gate.resolve(),
    pass: (seconds: number) => {
      nowMs += seconds * 1000;
    },
    measured: () => measurement.quotes ?? [],
  };
}

const artifacts = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => digest(from + at));

test('artifacts that ask at the same time get no more places than there are, and the environment keeps its own', async () => {
  const { quotes, open, pass, measured } = session({ isOpen: false });
  const asked = artifacts(0, 40).map((artifact) => quotes.want(artifact));
  open();
  await Promise.all(asked);
  expect(quotes.all.length).toBe(MAX_QUOTES);
  expect(measured()).toEqual(quotes.all);
  // What comes later still reaches the measurement.
  const [before] = measured().filter(({ artifact }) => artifact === undefined);
  pass(2);
  await quotes.want(undefined);
  expect(measured().filter(({ artifact }) => artifact === undefined)).not.toEqual([before]);
  quotes.stop();
});

test('what was asked for before the environment changed takes no place from what was asked for since', async () => {
  const { quotes, open, measured } = session({ isOpen: false });
  const former = artifacts(0, 32).map((artifact) => quotes.want(artifact));
  quotes.setEnvironment(ELSEWHERE);
  const later = artifacts(100, 32);
  const wanted = later.map((artifact) => quotes.want(artifact));
  open();
  await Promise.all([...former, ...wanted]);
  const held = measured().flatMap(({ artifact }) => artifact ?? []);
  expect(held.toSorted()).toEqual(later.toSorted());
  expect(measured().length).toBe(MAX_QUOTES);
  quotes.stop();
});
