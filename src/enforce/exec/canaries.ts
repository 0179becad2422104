import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDenial } from '../../denial/index.ts';
import {
  CONFINEMENT_LAYERS,
  type ConfinementLayer,
  type LayerState,
  type LayerStates,
} from '../../environment/index.ts';
import { accountOf, type Confiner } from './confiner.ts';
import { DEFAULT_ENVIRONMENT } from './environment-variables.ts';
import { type HeldProcess, holdProcess } from './held-process.ts';
import { DEFAULT_LIMITS, type Limits, type ProcessBound } from './limits.ts';
import { readProgram } from './program.ts';

const SHELL = '/bin/sh';
const TIMEOUT_MS = 10_000;
const MAX_OUTPUT_CHARACTERS = 65_536;
/** Fewer descriptors than making the sandbox takes: limits that are lowered in it are tried, too. */
const LIMITS: Limits = { ...DEFAULT_LIMITS, wallSeconds: 10, cpuSeconds: 5, openFiles: 16, processes: 32 };

/**
 * Tries to break out of the real chain, and says of each layer how that ended. It needs no more than a POSIX shell:
 * everything is done by the shell itself.
 */
const SCRIPT = `
say() { echo "$1 $2"; }
secret=$1; folder=$2

if [ -e "$secret" ] || (read -r line < "$secret") 2>/dev/null || [ -e /etc/shadow ] || [ -e /root/. ]
then say files-read leaks; else say files-read holds; fi

state=holds
for file in "$folder/out" /canary /usr/canary /etc/canary /dev/canary /usr/bin/env /etc/passwd; do
  (echo x >> "$file") 2>/dev/null && state=leaks
done
say files-write $state

state=holds
for file in /proc/sys/kernel/hostname /proc/sys/kernel/core_pattern /proc/sys/vm/overcommit_memory /proc/sys/net/ipv4/ip_forward /proc/sysrq-trigger; do
  (: >> "$file") 2>/dev/null && state=leaks
done
[ -e /sys/kernel ] && state=leaks
say kernel-settings $state

state=absent
while read -r name rest; do
  case $name in
    Inter-\\|*|face*|'') ;;
    lo:*) [ $state = absent ] && state=holds ;;
    *) state=leaks ;;
  esac
done < /proc/net/dev
say network $state

state=absent
for process in /proc/[0-9]*; do
  case \${process#/proc/} in
    1|2|3|4) [ $state = absent ] && state=holds ;;
    *) state=leaks ;;
  esac
done
say processes $state

state=holds
for file in /proc/self/fd/*; do
  case \${file##*/} in
    0|1|2) ;;
    *) [ -e "$file" ] && ! [ "$file" -ef /dev/null ] && state=leaks ;;
  esac
done
say descriptors $state

privileges= calls=absent
while read -r name first rest; do
  case $name in
    Uid:|Gid:) [ "$first" != 0 ] && [ "$rest" = "$first	$first	$first" ] && privileges=$privileges$name ;;
    CapInh:|CapPrm:|CapEff:|CapBnd:|CapAmb:) [ "$first" = 0000000000000000 ] && privileges=$privileges$name ;;
    NoNewPrivs:) [ "$first" = 1 ] && privileges=$privileges$name ;;
    Seccomp:) if [ "$first" = 2 ]; then calls=holds; else calls=leaks; fi ;;
  esac
done < /proc/self/status
if [ "$privileges" = Uid:Gid:CapInh:CapPrm:CapEff:CapBnd:CapAmb:NoNewPrivs: ]
then say privileges holds; else say privileges leaks; fi
say system-calls $calls

while read -r line; do say limit "$line"; done < /proc/self/limits
`;

export interface CanaryReport {
  readonly states: LayerStates;
  /** Why nothing could be tried. */
  readonly problem?: string;
}

/** Runs them, and lets nothing of them live on. A layer that nothing is said of is absent. */
export async function runCanaries(confiner: Confiner): Promise<CanaryReport> {
  const shell = readProgram(SHELL);
  if (isDenial(shell)) return { states: new Map(), problem: `${SHELL}: ${shell.detail}` };
  // Anybody may read it, and write beside it: only the sandbox keeps the canary from that.
  const folder = mkdtempSync(join(tmpdir(), 'writ-canary-'));
  const open = join(folder, 'open');
  const secret = join(open, 'secret');
  try {
    makeOpen(folder, open, secret);
    const held = await holdProcess({
      confiner,
      plan: {
        program: shell,
        argv: ['-c', SCRIPT, 'canary', secret, open],
        cwd: '/',
        environment: DEFAULT_ENVIRONMENT,
        paths: [],
        limits: LIMITS,
        account: accountOf(confiner),
      },
      streams: ['ignore', 'pipe', 'ignore'],
    });
    if (isDenial(held)) return { states: new Map(), problem: held.detail };
    const output = await outputOf(held);
    const states = readStates(output);
    const limits = limitsState(output, held.bounds);
    if (limits !== undefined) states.set('limits', limits);
    if (readdirSync(open).length > 1) states.set('files-write', 'leaks');
    return { states };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function makeOpen(folder: string, open: string, secret: string): void {
  chmodSync(folder, 0o711);
  mkdirSync(open);
  chmodSync(open, 0o777);
  writeFileSync(secret, 'canary\n');
  chmodSync(secret, 0o666);
}

async function outputOf(held: HeldProcess): Promise<string> {
  let text = '';
  const output = held.pipes[1];
  const closed = new Promise<void>((resolve) => (output == null ? resolve() : output.once('close', resolve)));
  output?.on('data', (chunk: unknown) => {
    if (text.length < MAX_OUTPUT_CHARACTERS) text += String(chunk);
  });
  const timer = setTimeout(() => held.kill(), TIMEOUT_MS);
  held.release();
  await held.ended;
  await closed;
  clearTimeout(timer);
  return text;
}

/**
 * Whether each limit of a process is exactly what it was set to; what a control group bounds is bounded since the process is in
 * it. Undefined where nothing is said of them.
 */
function limitsState(output: string, bounds: readonly ProcessBound[]): LayerState | undefined {
  const said = new Map(
    [...output.matchAll(/^limit (Max [a-z ]+?) {2,}(\S+) +(\S+)/gm)].map(
      ([, name = '', soft = '', hard = '']) => [name, `${soft} ${hard}`],
    ),
  );
  if (said.size === 0) return undefined;
  return bounds.every(({ name, value }) => said.get(name) === `${value} ${value}`) ? 'holds' : 'leaks';
}

function readStates(output: string): Map<ConfinementLayer, LayerState> {
  const states = new Map<ConfinementLayer, LayerState>();
  for (const line of output.split('\n')) {
    const [name, word] = line.split(' ');
    const layer = CONFINEMENT_LAYERS.find((known) => known === name);
    if (layer === undefined || (word !== 'holds' && word !== 'leaks')) continue;
    // Said twice, the worse counts.
    states.set(layer, states.get(layer) === 'leaks' ? 'leaks' : word);
  }
  return states;
}
