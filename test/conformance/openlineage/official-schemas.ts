import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { z } from 'zod';

/**
 * The published schemas of what is exported, by the names their project gives the files. They are not copied in: whoever
 * checks brings them. Of the core schema the digest is known; it alone is needed.
 */
export const OFFICIAL = {
  'OpenLineage.json': {
    id: 'https://openlineage.io/spec/2-0-2/OpenLineage.json',
    sha256: '69f68bee00b9beac88a87059c0102410e7bb05f3f43c46d02a0409831eceb0d2',
  },
  'ParentRunFacet.json': { id: 'https://openlineage.io/spec/facets/1-1-0/ParentRunFacet.json' },
  'JobTypeJobFacet.json': { id: 'https://openlineage.io/spec/facets/2-0-3/JobTypeJobFacet.json' },
} as const;
export type OfficialName = keyof typeof OFFICIAL;
export const OFFICIAL_NAMES = Object.keys(OFFICIAL) as readonly OfficialName[];

const OWN = fileURLToPath(new URL('../../../spec/lineage.schema.json', import.meta.url));
const Schema = z.looseObject({ $id: z.string() });
const Facets = z.looseObject({ facets: z.unknown() });
const Event = z.looseObject({ run: Facets, job: Facets });

export class OfficialSchemas {
  /** SHA-256 of each file that was there. */
  readonly digests: ReadonlyMap<OfficialName, string>;
  readonly #core: ValidateFunction;
  readonly #parent: ValidateFunction | undefined;
  readonly #jobType: ValidateFunction | undefined;
  readonly #own: ValidateFunction;

  /** Undefined where the core schema is not in the folder. A file of another version throws. */
  static read(folder: string): OfficialSchemas | undefined {
    return existsSync(join(folder, 'OpenLineage.json')) ? new OfficialSchemas(folder) : undefined;
  }

  private constructor(folder: string) {
    // Stock formats, all of them checked. `example` is OpenAPI's word, and what else strict mode demands is style.
    const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false, strictRequired: false });
    ajv.addVocabulary(['example']);
    formats.default(ajv, { mode: 'full' });
    const digests = new Map<OfficialName, string>();
    for (const name of OFFICIAL_NAMES) {
      const path = join(folder, name);
      if (!existsSync(path)) continue;
      const bytes = readFileSync(path);
      const schema = Schema.parse(JSON.parse(bytes.toString('utf8')));
      if (schema.$id !== OFFICIAL[name].id) throw new TypeError(`${path} is not ${OFFICIAL[name].id}`);
      ajv.addSchema(schema);
      digests.set(name, createHash('sha256').update(bytes).digest('hex'));
    }
    this.digests = digests;
    const compiled = (name: OfficialName) =>
      digests.has(name) ? ajv.compile({ $ref: OFFICIAL[name].id }) : undefined;
    this.#core = ajv.compile({
      allOf: [
        { $ref: OFFICIAL['OpenLineage.json'].id },
        { $ref: `${OFFICIAL['OpenLineage.json'].id}#/$defs/RunEvent` },
      ],
    });
    this.#parent = compiled('ParentRunFacet.json');
    this.#jobType = compiled('JobTypeJobFacet.json');
    this.#own = ajv.compile(Schema.parse(JSON.parse(readFileSync(OWN, 'utf8'))));
  }

  /** Why it is no valid run event, by the schema that says so. The facets are checked by each schema that is there. */
  faultsOf(event: unknown): string[] {
    const faults = faultsBy('OpenLineage.json', this.#core, event);
    const parsed = Event.safeParse(event);
    if (!parsed.success) return faults;
    const { run, job } = parsed.data;
    return [
      ...faults,
      ...faultsBy('ParentRunFacet.json', this.#parent, run.facets),
      ...faultsBy('JobTypeJobFacet.json', this.#jobType, job.facets),
      ...faultsBy('lineage.schema.json', this.#own, run.facets),
    ];
  }
}

function faultsBy(name: string, validate: ValidateFunction | undefined, value: unknown): string[] {
  if (validate === undefined || validate(value)) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message = '' }) => `${name}: ${instancePath} ${message}`,
  );
}
