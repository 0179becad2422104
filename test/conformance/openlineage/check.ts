/**
 * Checks what is exported by the published schemas of OpenLineage, which whoever runs it has fetched:
 *
 *     node test/conformance/openlineage/check.ts SCHEMA_FOLDER [EVENTS.jsonl]
 *
 * The folder has OpenLineage.json (2-0-2) and, where they are to be checked too, ParentRunFacet.json (1-1-0) and
 * JobTypeJobFacet.json (2-0-3). Without a file, every kind of event is made and checked, and broken ones must be refused.
 * Ends with 1 where anything is not as it should be.
 */
import { readFileSync } from 'node:fs';
import { BREACHES, broken, describeBreach, everyEvent } from './events.ts';
import { OFFICIAL, OFFICIAL_NAMES, OfficialSchemas } from './official-schemas.ts';

const say = (line: string) => process.stdout.write(`${line}\n`);

function check(folder: string, file: string | undefined): boolean {
  const schemas = OfficialSchemas.read(folder);
  if (schemas === undefined) {
    say(`there is no OpenLineage.json in ${folder}`);
    return false;
  }
  let good = schemas.digests.get('OpenLineage.json') === OFFICIAL['OpenLineage.json'].sha256;
  if (!good) say('OpenLineage.json is NOT the published text');
  for (const name of OFFICIAL_NAMES) {
    say(`${name}  ${schemas.digests.get(name) ?? 'is not there, and not checked'}`);
  }
  const events =
    file === undefined
      ? everyEvent()
      : readFileSync(file, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line, index) => ({ name: `line ${index + 1}`, event: JSON.parse(line) as unknown }));
  let valid = 0;
  for (const { name, event } of events) {
    const faults = schemas.faultsOf(event);
    if (faults.length === 0) valid += 1;
    else say(`INVALID ${name}: ${faults.join('; ')}`);
  }
  say(`${valid} of ${events.length} events are valid`);
  good &&= events.length > 0 && valid === events.length;
  if (file !== undefined) return good;
  for (const name of OFFICIAL_NAMES) {
    if (!schemas.digests.has(name)) continue;
    const accepted = BREACHES[name].filter(
      (breach) => !schemas.faultsOf(broken(breach)).some((fault) => fault.startsWith(`${name}: `)),
    );
    for (const breach of accepted) say(`ACCEPTED by ${name}, though broken: ${describeBreach(breach)}`);
    const all = BREACHES[name].length;
    say(`${all - accepted.length} of ${all} broken events are refused by ${name}`);
    good &&= accepted.length === 0;
  }
  return good;
}

const [folder, file] = process.argv.slice(2);
if (folder === undefined) say('name the folder that OpenLineage.json is in');
process.exitCode = folder !== undefined && check(folder, file) ? 0 : 1;
