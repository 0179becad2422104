import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../codec/index.ts';
import { addPresentation } from './brought-presentation.ts';
import { findMember, onOneLine, removeMember, replaceValue } from './json-members.ts';

/** Names that are easily taken for the one looked for. */
const names = fc.oneof(
  fc.constantFrom('id', 'ID', 'params', '_meta', '"id"', '\\', 'i\u0064', 'idx', '', '{', 'id":'),
  fc.string(),
);
const values = fc.jsonValue({ maxDepth: 3 });
const objects = fc
  .dictionary(names, values, { maxKeys: 6 })
  .map((value) => JSON.parse(JSON.stringify(value)) as JsonObject);
/** The same object, written in several ways. */
const written = fc.tuple(objects, fc.constantFrom(undefined, 1, '\t', '\r\n')).map(([object, space]) => ({
  object,
  text: Buffer.from(JSON.stringify(object, undefined, space)),
}));

describe('members of JSON that lies in bytes', () => {
  it('are found where they are, and nowhere else', () => {
    fc.assert(
      fc.property(written, names, ({ object, text }, name) => {
        const span = findMember(text, [name]);
        const found = span && JSON.parse(text.toString('utf8', span.start, span.end));
        expect(found).toEqual(Object.hasOwn(object, name) ? object[name] : undefined);
      }),
    );
  });

  it('are replaced and removed without touching another byte', () => {
    fc.assert(
      fc.property(written, names, values, ({ object, text }, name, value) => {
        const span = findMember(text, [name]);
        if (span === undefined) return;
        const replaced = replaceValue(text, span, JSON.stringify(value));
        expect(JSON.parse(replaced.toString())).toEqual({
          ...object,
          [name]: JSON.parse(JSON.stringify(value)),
        });
        expect(replaced.subarray(0, span.start)).toEqual(text.subarray(0, span.start));
        const { [name]: _gone, ...rest } = object;
        expect(JSON.parse(removeMember(text, span).toString())).toEqual(rest);
      }),
    );
  });

  it('a presentation that was added is taken out again, and all else is as it was', () => {
    fc.assert(
      fc.property(written, objects, fc.boolean(), ({ object, text }, presentation, nested) => {
        const line = nested ? Buffer.from(JSON.stringify({ ...object, params: { _meta: object } })) : text;
        const before = JSON.parse(line.toString()) as JsonObject;
        const { params } = before;
        // The parser refuses what is not an object here before anything is added.
        if (
          params !== undefined &&
          !(typeof params === 'object' && params !== null && !Array.isArray(params))
        )
          return;
        const meta = (params as JsonObject | undefined)?._meta;
        if (meta !== undefined && !(typeof meta === 'object' && meta !== null && !Array.isArray(meta)))
          return;
        const added = addPresentation(line, presentation);
        const path = ['params', '_meta', 'writ/presentation'];
        const span = findMember(added, path);
        expect(span && JSON.parse(added.toString('utf8', span.start, span.end))).toEqual(presentation);
        if (span === undefined) return;
        const after = JSON.parse(removeMember(added, span).toString());
        expect(after).toEqual({
          ...before,
          params: { ...(params as JsonObject | undefined), _meta: meta ?? {} },
        });
      }),
    );
  });

  it('the text on one line says the same, and holds no other line', () => {
    fc.assert(
      fc.property(written, ({ object, text }) => {
        const line = onOneLine(text);
        expect(line.subarray(0, -1).includes(0x0a) || line.includes(0x0d)).toBe(false);
        expect(JSON.parse(line.toString())).toEqual(object);
      }),
    );
  });
});
