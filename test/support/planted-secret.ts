import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Every form in which text turns up in files and outputs, as bytes: whoever finds one of them has the text. */
export function formsOf(secret: string): readonly Buffer[] {
  const bytes = Buffer.from(secret);
  const escaped = [...secret].map((character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  const utf16 = Buffer.from(secret, 'utf16le');
  return [
    bytes,
    utf16,
    Buffer.from(utf16).swap16(),
    Buffer.from(bytes.toString('hex')),
    Buffer.from(bytes.toString('hex').toUpperCase()),
    Buffer.from(escaped.join('')),
    ...[0, 1, 2].flatMap((offset) => base64Cores(bytes, offset)),
  ];
}

/** The characters of base64 that depend on nothing but the text, where it begins at an offset within a group of three. */
function base64Cores(bytes: Buffer, offset: number): Buffer[] {
  const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
  const end = Math.floor((padded.byteLength * 8) / 6);
  return (['base64', 'base64url'] as const).map((encoding) =>
    Buffer.from(padded.toString(encoding).slice(Math.ceil((offset * 8) / 6), end)),
  );
}

/** Where a secret is found, in whatever form. */
export function findSecret(secret: string, among: ReadonlyMap<string, Buffer>): string[] {
  const forms = formsOf(secret);
  return [...among].filter(([, bytes]) => forms.some((form) => bytes.includes(form))).map(([name]) => name);
}

/** Every file below a folder, by its path in it; the names of files and folders count as content, too. */
export function readTree(folder: string): Map<string, Buffer> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const name = relative(folder, path);
      return [
        name,
        entry.isFile() ? Buffer.concat([readFileSync(path), Buffer.from(name)]) : Buffer.from(name),
      ];
    }),
  );
}
