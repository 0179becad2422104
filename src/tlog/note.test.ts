import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { SigningKey } from '../key/index.ts';
import {
  COSIGNATURE_V1,
  formatVkey,
  type NoteVerifier,
  noteCosigner,
  noteSigner,
  noteVerifier,
  openNote,
  parseVkey,
  signatureLine,
  signNote,
} from './index.ts';
import { isNoteText } from './note-text.ts';

const key = SigningKey.fromSeed(new Uint8Array(32).fill(1));
const otherKey = SigningKey.fromSeed(new Uint8Array(32).fill(2));
const signer = noteSigner('log.example/a', key);
const verifier = noteVerifier('log.example/a', key.publicKey);
const TEXT = 'a note\n\nwith two paragraphs\n';

function must<T>(value: T): Exclude<T, { code: unknown; detail: unknown; reason: unknown }> {
  if (isDenial(value)) throw new Error(value.detail);
  return value as Exclude<T, { code: unknown; detail: unknown; reason: unknown }>;
}

function denial(value: unknown): string {
  return isDenial(value) ? `${value.code}: ${value.detail}` : 'accepted';
}

describe('known answers', () => {
  // The example of C2SP signed-note, "Verifier keys".
  const VKEY = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
  const NOTE =
    'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n';

  it('a vkey has the id of its name and key', () => {
    const parsed = must(parseVkey(VKEY));
    expect(parsed).toMatchObject({ name: 'example.com/foo', keyId: 0x530d903a, type: 1 });
    expect(formatVkey(parsed.name, parsed.key)).toBe(VKEY);
  });

  it('the note of that key opens', () => {
    expect(must(openNote(NOTE, [must(parseVkey(VKEY))])).text).toBe('This is an example message.\n');
  });

  it('a note whose text has an empty line is cut at the last one', () => {
    const poem =
      'Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n';
    expect(denial(openNote(poem, [verifier]))).toBe('log.unavailable: note is not signed by a known key');
    const resigned = signNote(poem.slice(0, poem.indexOf('\n—')), [signer]);
    expect(must(openNote(resigned, [verifier])).text).toContain('ed è subito sera.\n');
  });
});

describe('vkeys', () => {
  const vkey = formatVkey('log.example/a', key.publicKey);

  it('round trip for both signature types', () => {
    for (const type of [1, 4] as const) {
      const parsed = must(parseVkey(formatVkey('witness.example', key.publicKey, type)));
      expect(parsed).toMatchObject({ name: 'witness.example', type });
      expect(parsed.key.thumbprint).toBe(key.publicKey.thumbprint);
    }
  });

  it('of one key differ by name and by type', () => {
    const ids = [
      noteVerifier('a', key.publicKey).keyId,
      noteVerifier('b', key.publicKey).keyId,
      noteVerifier('a', key.publicKey, COSIGNATURE_V1).keyId,
    ];
    expect(new Set(ids).size).toBe(3);
  });

  const [name, id, material] = [vkey.slice(0, 13), vkey.slice(14, 22), vkey.slice(23)];
  const point = (bytes: Uint8Array) => Buffer.concat([Buffer.of(1), bytes]).toString('base64');
  it.each([
    ['without parts', 'log.example'],
    ['with an empty name', `+${id}+${material}`],
    ['with a space in its name', `log example+${id}+${material}`],
    ['with a no-break space in its name', `log\u00a0example+${id}+${material}`],
    ['with a newline in its name', `log\nexample+${id}+${material}`],
    ['with a name the id is not of', `${name}b+${id}+${material}`],
    ['with a short id', `${name}+${id.slice(1)}+${material}`],
    ['with an uppercase id', `${name}+ABCDEF01+${material}`],
    ['with base64url', `${name}+${id}+AQ--${material.slice(4)}`],
    ['without padding where it belongs', `${name}+${id}+${material}A`],
    [
      'of another type',
      `${name}+${id}+${Buffer.concat([Buffer.of(2), key.publicKey.bytes]).toString('base64')}`,
    ],
    ['with a long key', `${name}+${id}+${point(Buffer.concat([key.publicKey.bytes, Buffer.of(0)]))}`],
    ['with a small-order key', `${name}+${id}+${point(Buffer.concat([Buffer.of(1), Buffer.alloc(31)]))}`],
    ['of huge size', `${name}+${id}+${'A'.repeat(100_000)}`],
  ])('%s are denied', (_, text) => {
    expect(denial(parseVkey(text))).toMatch(/^log\.unavailable: /);
  });
});

describe('opening a note', () => {
  const note = signNote(TEXT, [signer]);
  const unknownLine = signatureLine(TEXT, noteSigner('stranger.example', otherKey));

  it('gives the text and who signed it', () => {
    const opened = must(openNote(note, [verifier]));
    expect(opened.text).toBe(TEXT);
    expect(opened.signatures).toEqual([
      { name: 'log.example/a', keyId: verifier.keyId, type: 1, line: note.slice(TEXT.length + 1) },
    ]);
    expect(must(openNote(Buffer.from(note), [verifier])).text).toBe(TEXT);
  });

  it('ignores signatures of unknown keys, before and after', () => {
    const crowded = `${TEXT}\n${unknownLine}${note.slice(TEXT.length + 1)}${unknownLine}`;
    expect(must(openNote(crowded, [verifier])).signatures).toHaveLength(1);
  });

  it('ignores a key that shares the name or the id with a known one, but not both', () => {
    const sameName = signatureLine(TEXT, noteSigner('log.example/a', otherKey));
    const sameId = signatureLine(TEXT, { ...signer, name: 'elsewhere.example' });
    expect(must(openNote(`${note}${sameName}${sameId}`, [verifier])).signatures).toHaveLength(1);
    expect(denial(openNote(`${TEXT}\n${sameName}${sameId}`, [verifier]))).toBe(
      'log.unavailable: note is not signed by a known key',
    );
  });

  it('denies the whole note when a known key did not sign this text', () => {
    const forged = signatureLine('another text\n', signer);
    expect(denial(openNote(`${TEXT}\n${forged}`, [verifier]))).toContain('does not verify');
    expect(denial(openNote(`${note}${forged}`, [verifier]))).toContain('does not verify');
    expect(denial(openNote(`${TEXT}\n${forged}${note.slice(TEXT.length + 1)}`, [verifier]))).toContain(
      'does not verify',
    );
  });

  it('counts a key once however often it signed', () => {
    const line = note.slice(TEXT.length + 1);
    expect(must(openNote(`${note}${line}${line}`, [verifier])).signatures).toHaveLength(1);
  });

  it('refuses verifiers that it could not tell apart', () => {
    const twin: NoteVerifier = {
      ...noteVerifier('log.example/a', otherKey.publicKey),
      keyId: verifier.keyId,
    };
    expect(() => openNote(note, [verifier, twin])).toThrow(TypeError);
  });

  it('accepts 16 signatures and more, and bounds how many', () => {
    expect(must(openNote(`${note}${unknownLine.repeat(40)}`, [verifier])).text).toBe(TEXT);
    expect(denial(openNote(`${note}${unknownLine.repeat(64)}`, [verifier]))).toContain('too many signatures');
    expect(denial(openNote(`${note}${unknownLine.repeat(10_000)}`, [verifier]))).toContain('too long');
  });

  const line = note.slice(TEXT.length + 1);
  it.each([
    ['has no blank line', 'text\n'],
    ['is empty', ''],
    ['has no signature', `${TEXT}\n`],
    ['does not end in newline', note.slice(0, -1)],
    ['has a blank line after its signatures', `${note}\n`],
    ['has text after its signatures', `${note}more\n`],
    ['has a tab in its text', signNoteUnchecked('a\tb\n')],
    ['has a carriage return', note.replace('\n', '\r\n')],
    ['has a NUL', `\u0000${note}`],
    ['has a lone surrogate', `\ud800${note}`],
    ['has a hyphen for the em dash', `${TEXT}\n${line.replace('\u2014', '-')}`],
    ['has two spaces before the name', `${TEXT}\n${line.replace('\u2014 ', '\u2014  ')}`],
    ['has two spaces before the signature', `${TEXT}\n${line.replace('/a ', '/a  ')}`],
    ['has a space after the signature', `${TEXT}\n${line.replace('\n', ' \n')}`],
    ['has a plus in a key name', `${TEXT}\n${line}${unknownLine.replace('stranger', 'str+nger')}`],
    [
      'has a Unicode space in a key name',
      `${TEXT}\n${line}${unknownLine.replace('stranger', 'str\u2003nger')}`,
    ],
    ['has an unpadded signature', `${TEXT}\n${line.replace('=', '')}`],
    ['has only a key id', `${TEXT}\n\u2014 log.example/a AAAAAA==\n`],
    ['has trailing bits in its base64', `${TEXT}\n\u2014 log.example/a AAAAAAF=\n`],
  ])('denies one that %s', (_, text) => {
    expect(denial(openNote(text, [verifier]))).toMatch(/^log\.unavailable: /);
  });

  it('denies bytes that are not UTF-8', () => {
    expect(denial(openNote(Buffer.concat([Buffer.of(0xff), Buffer.from(note)]), [verifier]))).toContain(
      'UTF-8',
    );
    expect(denial(openNote(Buffer.concat([Buffer.of(0xc0, 0x8a), Buffer.from(note)]), [verifier]))).toContain(
      'UTF-8',
    );
  });

  it('signs the byte order mark it was given, and nothing less', () => {
    const marked = signNote('\ufefftext\n', [signer]);
    expect(must(openNote(Buffer.from(marked), [verifier])).text).toBe('\ufefftext\n');
  });

  function signNoteUnchecked(text: string): string {
    return `${text}\n${signatureLine('x\n', { ...signer, sign: () => signer.sign(text) })}`;
  }
});

describe('cosignatures', () => {
  const text = 'log.example/a\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n';
  const log = signNote(text, [signer]);
  const witness = noteVerifier('witness.example', otherKey.publicKey, COSIGNATURE_V1);
  const at = (seconds: number) =>
    signatureLine(
      text,
      noteCosigner('witness.example', otherKey, () => seconds),
    );

  it('carry the time at which they were made', () => {
    const opened = must(openNote(`${log}${at(1_679_315_147.9)}`, [verifier, witness]));
    expect(opened.signatures[1]).toMatchObject({ name: 'witness.example', timestampSeconds: 1_679_315_147 });
  });

  it('sign exactly the header, the time and the note text', () => {
    let signed = '';
    const spy = {
      publicKey: otherKey.publicKey,
      sign: (data: Uint8Array) => {
        signed = Buffer.from(data).toString();
        return new Uint8Array(64);
      },
    };
    signatureLine(
      text,
      noteCosigner('witness.example', spy, () => 1_679_315_147),
    );
    expect(signed).toBe(`cosignature/v1\ntime 1679315147\n${text}`);
  });

  it('are not valid for another time', () => {
    const bytes = Buffer.from(at(1000).split(' ')[2] ?? '', 'base64');
    bytes.writeBigUInt64BE(2000n, 4);
    const moved = `\u2014 witness.example ${bytes.toString('base64')}\n`;
    expect(denial(openNote(`${log}${moved}`, [verifier, witness]))).toContain('does not verify');
    bytes.writeBigUInt64BE(2n ** 64n - 1n, 4);
    const endless = `\u2014 witness.example ${bytes.toString('base64')}\n`;
    expect(denial(openNote(`${log}${endless}`, [verifier, witness]))).toContain('does not verify');
  });

  it('count once per witness, the newest of them', () => {
    const opened = must(openNote(`${log}${at(5)}${at(9)}${at(7)}`, [verifier, witness]));
    expect(opened.signatures).toHaveLength(2);
    expect(opened.signatures[1]?.timestampSeconds).toBe(9);
  });

  it('cannot pass for a signature of the log, nor the other way round', () => {
    const logAsCosigner = noteVerifier('witness.example', otherKey.publicKey);
    expect(denial(openNote(`${text}\n${at(5)}`, [logAsCosigner]))).toContain('not signed by a known key');
    const asPlain = signatureLine(text, noteSigner('witness.example', otherKey));
    expect(denial(openNote(`${text}\n${asPlain}`, [witness]))).toContain('not signed by a known key');
  });
});

it('whatever text is signed opens as that text', () => {
  const printable = fc.string({ unit: 'grapheme' }).filter(isNoteText);
  fc.assert(
    fc.property(fc.array(printable), (lines) => {
      const text = `${lines.join('\n')}\n`;
      expect(must(openNote(signNote(text, [signer]), [verifier])).text).toBe(text);
    }),
  );
});

it('refuses to sign what is not note text', () => {
  for (const text of ['', 'no newline', 'a\tb\n', 'a\r\n', '\ud800\n']) {
    expect(() => signNote(text, [signer])).toThrow(TypeError);
  }
  expect(() => signNote('text\n', [])).toThrow(TypeError);
  expect(() => noteSigner('a b', key)).toThrow(TypeError);
  expect(() => noteSigner('a+b', key)).toThrow(TypeError);
  expect(() =>
    signatureLine(
      'text\n',
      noteCosigner('w', key, () => Number.NaN),
    ),
  ).toThrow(TypeError);
});
