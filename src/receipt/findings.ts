/** Parts of a bundle, as problems name them. */
export type BundlePart =
  | 'bundle'
  | 'log key'
  | 'decision'
  | 'outcome'
  | 'lineage'
  | 'governance'
  | 'governance key'
  | 'witnesses'
  | 'evidence'
  | 'evidence.request'
  | 'evidence.chain'
  | 'evidence.anchor'
  | 'evidence.policy'
  | 'evidence.measurement'
  | 'evidence.workload'
  | 'evidence.trustBundle'
  | 'evidence.approvals'
  | 'salt';

/** What verifying found wrong, or could not look at, of one execution or of a bundle as a whole. */
export class Findings {
  readonly problems: string[] = [];
  readonly #withheld = new Set<string>();

  problem(part: BundlePart, detail: string): void {
    const text = `${part}: ${detail}`;
    if (!this.problems.includes(text)) this.problems.push(text);
  }

  /** Not wrong, and not checked either. */
  withhold(part: string): void {
    this.#withheld.add(part);
  }

  get withheld(): readonly string[] {
    return [...this.#withheld];
  }
}
