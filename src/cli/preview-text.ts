import type { Preview } from '../receipt/index.ts';

/** A preview in one line: what is shown, then what is withheld and why; `…` where there is more. */
export function previewText({ shown, withheld = {}, truncated }: Preview): string {
  const parts = [
    ...Object.entries(shown).map(([pointer, value]) => `${pointer} ${JSON.stringify(value)}`),
    ...Object.entries(withheld).map(([pointer, why]) => `${pointer} (withheld: ${why})`),
    ...(truncated === true ? ['…'] : []),
  ];
  return parts.length === 0 ? 'nothing of what may be shown is there' : parts.join('  ');
}
