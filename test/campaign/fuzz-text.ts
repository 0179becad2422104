import {
  canonicalize,
  decodeBase64url,
  encodeBase64url,
  type JsonValue,
  jsonEquals,
  parseJson,
} from '../../src/codec/index.ts';
import { isDenial } from '../../src/denial/index.ts';
import type { FuzzTarget } from './fuzz-targets.ts';
import { mutateBytes, mutateJson, mutateText, pickFrom, soup } from './mutate.ts';

const SAMPLES: readonly JsonValue[] = [
  {
    jsonrpc: '2.0',
    id: 7,
    method: 'tools/call',
    params: { name: 'read', arguments: { path: '/a/ü', n: [1, 2.5] } },
  },
  {
    a: { b: { c: [[[]], {}, '', 'A\u2028"\\'] } },
    exp: 1767283200,
    iat: 0,
    big: 9007199254740991,
    small: -0.25,
  },
  [null, true, false, 0, -1, 1e-7, 'x', { x: { x: { x: 1 } } }],
];

/** JSON, base64url. */
export function textTargets(): FuzzTarget[] {
  return [
    {
      name: 'strict JSON',
      feed(random) {
        const sample = pickFrom(random, SAMPLES);
        const value = random.chance(0.5) ? mutateJson(random, sample, pickFrom(random, SAMPLES)) : sample;
        const text = random.chance(0.05) ? soup(random) : JSON.stringify(value);
        const input = random.chance(0.6)
          ? mutateText(random, text, JSON.stringify(pickFrom(random, SAMPLES)))
          : text;
        const bytes = random.chance(0.2) ? mutateBytes(random, Buffer.from(input)) : Buffer.from(input);
        const parsed = parseJson(random.chance(0.5) ? bytes : input, 'request.malformed');
        if (isDenial(parsed)) return 'refused';
        // What is accepted is the one value that any parser reads, and survives being written canonically.
        const canonical = canonicalize(parsed);
        return jsonEquals(parseJson(canonical, 'request.malformed') as JsonValue, parsed)
          ? 'accepted'
          : 'the canonical form is another value';
      },
    },
    {
      name: 'base64url',
      feed(random) {
        const bytes = Buffer.alloc(random.between(0, 24), random.between(0, 255));
        const text = mutateText(random, encodeBase64url(bytes));
        const decoded = decodeBase64url(text, 'request.malformed');
        if (isDenial(decoded)) return 'refused';
        return encodeBase64url(decoded) === text ? 'accepted' : 'two texts for the same bytes';
      },
    },
  ];
}
