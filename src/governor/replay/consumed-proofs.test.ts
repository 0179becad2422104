import { describe, expect, it } from 'vitest';
import { ConsumedProofs } from './consumed-proofs.ts';

describe('ConsumedProofs', () => {
  it('knows what was used, however much came after it within its window', () => {
    const proofs = new ConsumedProofs();
    for (let at = 0; at < 300_000; at += 1) proofs.add(`id ${at}`, 1000, 500);
    expect(proofs.find('id 0', 1000)).toBe('used');
    expect(proofs.find('id 299999', 1000)).toBe('used');
    expect(proofs.find('id 300000', 1000)).toBe('unused');
  });

  it('forgets beyond its room only what no clock can make acceptable again, and says that it may have', () => {
    const proofs = new ConsumedProofs(1);
    const fill = (name: string, expires: number, now: number) => {
      for (let at = 0; at < 131_072; at += 1) proofs.add(`${name} ${at}`, expires, now);
    };
    fill('early', 0, 0);
    proofs.add('too soon', 100, 119);
    expect(proofs.find('early 0', 0)).toBe('used');
    fill('late', 1000, 1000);
    expect(proofs.find('early 0', 0)).toBe('unknown');
    expect(proofs.find('never', 2000)).toBe('unused');
    expect(proofs.find('late 0', 1000)).toBe('used');
  });
});
