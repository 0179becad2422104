import { DENIED, EXAMINED, MODE_SETTING } from './system-calls.ts';

/*
 * A seccomp filter (classic BPF, seccomp(2)) over `struct seccomp_data { int nr; u32 arch; u64 ip; u64 args[6]; }`.
 * Everything passes but what is denied here, with an error and not a signal: programs that try fall back.
 *
 * The architectures are told by their own word: a call by another one (i386, x32) is denied, whatever its number.
 */
const ARCHITECTURES = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;
type Architecture = keyof typeof ARCHITECTURES;

const OFFSET = { number: 0, architecture: 4 } as const;
/** The low half of an argument: all of it where the kernel reads an `int` or `unsigned int`. */
const lowHalf = (argument: number): number => 16 + 8 * argument;

const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_ABOVE = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const JUMP_BITS = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const AND = 0x54; // BPF_ALU | BPF_AND | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K

const ALLOW = 0x7fff0000;
const ERROR = 0x00050000;
const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

/** Numbers from here on are x32's. */
const X32 = 0x40000000;
/** CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET. */
const NEW_NAMESPACES =
  0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000;
/** They put input into a terminal: TIOCSTI, TIOCLINUX. */
const TERMINAL_INPUT = [0x5412, 0x541c];
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;
/** The rest are flags. */
const SOCKET_TYPE = 0xf;
/** S_ISUID, S_ISGID. */
const SET_ID = 0o6000;
/** O_CREAT, O_TMPFILE: without them the mode is whatever lies there. */
const CREATES = 0o100 | 0o20000000;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/** Compiled for this machine's architecture; undefined for one that has no table here. */
export function seccompFilter(architecture: string = process.arch): Uint8Array | undefined {
  if (architecture !== 'x64' && architecture !== 'arm64') return undefined;
  return encode(filterFor(architecture));
}

function filterFor(architecture: Architecture): readonly Instruction[] {
  const column = architecture === 'x64' ? 0 : 1;
  const denied = Object.values(DENIED).flatMap((numbers) => numbers[column] ?? []);
  return [
    [LOAD, 0, 0, OFFSET.architecture],
    [JUMP_EQUAL, 1, 0, ARCHITECTURES[architecture]],
    fail(EPERM),
    [LOAD, 0, 0, OFFSET.number],
    ...(architecture === 'x64' ? ([[JUMP_ABOVE, 0, 1, X32], fail(EPERM)] satisfies Instruction[]) : []),
    ...denied.flatMap((number): Instruction[] => [[JUMP_EQUAL, 0, 1, number], fail(EPERM)]),
    // Its flags lie in memory, where no filter reads: programs fall back to clone.
    ...when(EXAMINED.clone3[column], [fail(ENOSYS)]),
    ...when(EXAMINED.clone[column], [
      [LOAD, 0, 0, lowHalf(0)],
      [JUMP_BITS, 0, 1, NEW_NAMESPACES >>> 0],
      fail(EPERM),
      pass(),
    ]),
    ...when(EXAMINED.ioctl[column], [
      [LOAD, 0, 0, lowHalf(1)],
      ...TERMINAL_INPUT.flatMap((request): Instruction[] => [[JUMP_EQUAL, 0, 1, request], fail(EPERM)]),
      pass(),
    ]),
    // No netlink, packet, vsock or other family that speaks to the kernel; and no local ones: whatever lies in a granted
    // folder could be talked to, and handed descriptors.
    ...when(EXAMINED.socket[column], [
      [LOAD, 0, 0, lowHalf(0)],
      ...passWhere([AF_INET, AF_INET6]),
      fail(EAFNOSUPPORT),
    ]),
    // The ends of a pair lead to each other alone; but those of datagrams can be led elsewhere.
    ...when(EXAMINED.socketpair[column], [
      [LOAD, 0, 0, lowHalf(0)],
      [JUMP_EQUAL, 1, 0, AF_UNIX],
      fail(EAFNOSUPPORT),
      [LOAD, 0, 0, lowHalf(1)],
      [AND, 0, 0, SOCKET_TYPE],
      ...passWhere([SOCK_STREAM, SOCK_SEQPACKET]),
      fail(EAFNOSUPPORT),
    ]),
    // A program that lends its account outlives its sandbox in a granted folder: whoever runs it there is that account.
    ...Object.values(MODE_SETTING).flatMap(({ numbers, mode, ...more }) =>
      when(numbers[column], [
        ...('flags' in more ? passWithout(more.flags, CREATES) : []),
        ...passWithout(mode, SET_ID),
        fail(EPERM),
      ]),
    ),
    // Its flags and mode lie in memory: programs fall back to openat.
    ...when(EXAMINED.openat2[column], [fail(ENOSYS)]),
    pass(),
  ];
}

function passWithout(argument: number, bits: number): readonly Instruction[] {
  return [[LOAD, 0, 0, lowHalf(argument)], [JUMP_BITS, 1, 0, bits], pass()];
}

function passWhere(values: readonly number[]): readonly Instruction[] {
  return values.flatMap((value): Instruction[] => [[JUMP_EQUAL, 0, 1, value], pass()]);
}

/** A block for one system call, which must end in a return. */
function when(number: number | undefined, block: readonly Instruction[]): readonly Instruction[] {
  if (number === undefined) return [];
  return [[JUMP_EQUAL, 0, block.length, number], ...block];
}

function fail(errno: number): Instruction {
  return [RETURN, 0, 0, ERROR | errno];
}

function pass(): Instruction {
  return [RETURN, 0, 0, ALLOW];
}

/** `struct sock_filter { u16 code; u8 jt; u8 jf; u32 k; }`, little-endian as both architectures are. */
function encode(instructions: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(instructions.length * 8);
  for (const [index, [code, ifTrue, ifFalse, value]] of instructions.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(ifTrue, index * 8 + 2);
    bytes.writeUInt8(ifFalse, index * 8 + 3);
    bytes.writeUInt32LE(value >>> 0, index * 8 + 4);
  }
  return bytes;
}
