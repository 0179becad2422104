import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate authority in a folder, by the machine's openssl. */
export class TestAuthority {
  readonly #folder: string;
  readonly #name: string;

  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#name = name;
    this.#openssl(
      'req',
      '-x509',
      ...NEW_KEY,
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      ...this.#out(name),
    );
  }

  get certificateFile(): string {
    return this.#file(this.#name, 'pem');
  }

  /** Signs a certificate; returns its files. */
  issue(name: string, alternativeNames: string): { readonly cert: string; readonly key: string } {
    const extensions = this.#file(name, 'ext');
    writeFileSync(extensions, `subjectAltName=${alternativeNames}\n`);
    this.#openssl(
      ...['req', ...NEW_KEY, '-nodes', '-subj', `/CN=${name}`],
      ...['-keyout', this.#file(name, 'key'), '-out', this.#file(name, 'csr')],
    );
    this.#openssl(
      ...['x509', '-req', '-days', '2', '-in', this.#file(name, 'csr'), '-extfile', extensions],
      ...['-CA', this.certificateFile, '-CAkey', this.#file(this.#name, 'key'), '-CAcreateserial'],
      ...['-out', this.#file(name, 'pem')],
    );
    return { cert: this.#file(name, 'pem'), key: this.#file(name, 'key') };
  }

  #out(name: string): string[] {
    return ['-keyout', this.#file(name, 'key'), '-out', this.#file(name, 'pem')];
  }

  #file(name: string, extension: string): string {
    return join(this.#folder, `${name}.${extension}`);
  }

  #openssl(...args: readonly string[]): void {
    execFileSync('openssl', args, { cwd: this.#folder, stdio: 'ignore' });
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
