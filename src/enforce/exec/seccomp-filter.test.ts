import { expect, it } from 'vitest';
import { seccompFilter } from './seccomp-filter.ts';
import { DENIED, EXAMINED, MODE_SETTING } from './system-calls.ts';

const ALLOW = 0x7fff0000;
const ERROR = 0x00050000;
const AUDIT = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;

/** What the kernel would make of a call: classic BPF, as far as the filter uses it. */
function verdictOf(
  program: Uint8Array,
  call: { arch: number; nr: number; args?: readonly number[] },
): number {
  const bytes = Buffer.from(program);
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.nr >>> 0, 0);
  data.writeUInt32LE(call.arch, 4);
  for (const [index, argument] of (call.args ?? []).entries())
    data.writeUInt32LE(argument >>> 0, 16 + 8 * index);
  let accumulator = 0;
  for (let at = 0; at < bytes.length; at += 8) {
    const code = bytes.readUInt16LE(at);
    const value = bytes.readUInt32LE(at + 4);
    const jump = (yes: boolean): void => {
      at += 8 * bytes.readUInt8(at + (yes ? 2 : 3));
    };
    if (code === 0x20) accumulator = data.readUInt32LE(value);
    else if (code === 0x15) jump(accumulator === value);
    else if (code === 0x35) jump(accumulator >= value);
    else if (code === 0x45) jump((accumulator & value) !== 0);
    else if (code === 0x54) accumulator &= value;
    else if (code === 0x06) return value;
    else throw new Error(`unknown instruction ${code}`);
  }
  throw new Error('the program ran past its end');
}

for (const architecture of ['x64', 'arm64'] as const) {
  const program = seccompFilter(architecture) ?? new Uint8Array();
  const column = architecture === 'x64' ? 0 : 1;
  const arch = AUDIT[architecture];

  it(`${architecture}: every listed call is denied, and those that programs live on are not`, () => {
    for (const [name, numbers] of Object.entries(DENIED)) {
      const nr = numbers[column];
      if (nr !== undefined) expect(verdictOf(program, { arch, nr }), name).toBe(ERROR | 1);
    }
    const needed =
      architecture === 'x64' ? [0, 1, 2, 9, 11, 59, 60, 202, 257] : [56, 57, 63, 64, 93, 98, 221, 222];
    for (const nr of needed) expect(verdictOf(program, { arch, nr }), String(nr)).toBe(ALLOW);
  });

  it(`${architecture}: arguments decide where they must`, () => {
    const of = (name: keyof typeof EXAMINED, ...args: readonly number[]): number =>
      verdictOf(program, { arch, nr: EXAMINED[name][column], args });
    expect(of('clone', 0x3d0f00)).toBe(ALLOW);
    for (const flag of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]) {
      expect(of('clone', flag | 17)).toBe(ERROR | 1);
    }
    expect(of('clone3')).toBe(ERROR | 38);
    expect(of('ioctl', 0, 0x5413)).toBe(ALLOW);
    expect(of('ioctl', 0, 0x5412)).toBe(ERROR | 1);
    expect(of('ioctl', 0, 0x541c)).toBe(ERROR | 1);
    for (const family of [2, 10]) expect(of('socket', family)).toBe(ALLOW);
    for (const family of [0, 1, 16, 17, 38, 40]) expect(of('socket', family)).toBe(ERROR | 97);
    for (const type of [1, 5, 1 | 0x80000, 5 | 0x800]) expect(of('socketpair', 1, type)).toBe(ALLOW);
    // Datagrams (raw ones are): an end of them can be led elsewhere.
    for (const type of [0, 2, 3, 4, 2 | 0x80000]) expect(of('socketpair', 1, type)).toBe(ERROR | 97);
    expect(of('socketpair', 16)).toBe(ERROR | 97);
    expect(of('openat2')).toBe(ERROR | 38);
  });

  it(`${architecture}: no file is given a set-user-id or set-group-id bit`, () => {
    for (const [name, { numbers, mode, ...more }] of Object.entries(MODE_SETTING)) {
      const nr = numbers[column];
      if (nr === undefined) continue;
      const verdict = (bits: number, flags = 0o100): number => {
        const args = [0, 0, 0, 0];
        args[mode] = bits;
        if ('flags' in more) args[more.flags] = flags;
        return verdictOf(program, { arch, nr, args });
      };
      for (const bits of [0o4755, 0o2755, 0o6000, 0o104755]) expect(verdict(bits), name).toBe(ERROR | 1);
      for (const bits of [0o755, 0o1777, 0o100644]) expect(verdict(bits), name).toBe(ALLOW);
      if (!('flags' in more)) continue;
      expect(verdict(0o4755, 0o20200000), name).toBe(ERROR | 1);
      // What creates nothing has no mode.
      expect(verdict(0xffffffff, 0o2000), name).toBe(ALLOW);
    }
  });

  it(`${architecture}: calls by another architecture are denied whatever their number`, () => {
    for (const other of [0x40000003, 0xc000003e, 0xc00000b7, 0x40000028].filter((known) => known !== arch)) {
      expect(verdictOf(program, { arch: other, nr: 1 })).toBe(ERROR | 1);
    }
  });
}

it('x64: x32 calls are denied', () => {
  const program = seccompFilter('x64') ?? new Uint8Array();
  expect(verdictOf(program, { arch: AUDIT.x64, nr: 0x40000000 | 1 })).toBe(ERROR | 1);
});

it('has no filter for a machine it knows no numbers of', () => {
  expect(seccompFilter('riscv64')).toBeUndefined();
});
