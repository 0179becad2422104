import { type Define, examples } from './command.ts';
import { addMeasuringOptions, type MeasuringOptions, measureHere } from './env-measuring.ts';
import type { Session } from './session.ts';
import { faint } from './text.ts';

export const define: Define = (command, act) => {
  addMeasuringOptions(command)
    .description(
      `Measure the runtime here: Writ and what it runs on, the program it would start, and its surroundings. The digest
of all components is what an artifact binds with --environment sha256:…; a single component, with kind/name=sha256:….
The definitions of a server's tools join when it runs, so bind single components where there is one.`,
    )
    .argument('[command...]', 'the program, as it would be started')
    .addHelpText(
      'after',
      examples(
        '$ writ env measure',
        '$ writ env measure --measure machine,repository -- npx @modelcontextprotocol/server-filesystem .',
        '$ writ artifact issue --agent builder --tool mcp://… --environment node/v24.21.0=sha256:…',
      ),
    )
    .action(act(measure));
};

async function measure(session: Session, words: readonly string[], options: MeasuringOptions): Promise<void> {
  const { output } = session;
  const home = await session.openHome();
  const { measurement } = await measureHere(session, home, words, options);
  const { digest, assurance, measuredAtSeconds, bootId, components } = measurement;
  output.answer(
    {
      ...{ digest, assurance, measuredAt: measuredAtSeconds, ...(bootId && { bootId }) },
      components: components.map((one) => ({ ...one })),
    },
    () => {
      output.line(faint('environment  '), digest);
      output.line(faint('assurance    '), assurance, faint('  this process says so of itself'));
      if (bootId !== undefined) output.line(faint('boot         '), bootId);
      output.line();
      output.table(
        ['KIND', 'NAME', 'DIGEST', 'COLLECTOR'],
        components.map(({ kind, name, digest: own, collector = '' }) => [kind, name, own, faint(collector)]),
      );
    },
  );
}
