import type { DecisionReceipt } from './decision-receipt.ts';
import type { Findings } from './findings.ts';

/** The shortest a receipt cuts a list of tokens to: from here on it need not name them all. */
const CUT_LIST = 16;

/** An execution as its receipt has it, and where to say what is wrong with its place in the lineage. */
export interface LineageLink {
  readonly receipt: DecisionReceipt;
  /** The parent that it has, or says it has where it was denied for that. */
  readonly parent: string | undefined;
  readonly findings: Findings;
}

/**
 * Verifies that executions are one and its ancestors, parent first, each of which could be the parent of the one before
 * it. Undefined is an execution that could not be proven.
 */
export function verifyAncestors(links: readonly (LineageLink | undefined)[]): void {
  const [subject] = links;
  for (const [at, link] of links.entries()) {
    if (link === undefined) return;
    const { receipt, parent, findings } = link;
    const next = links[at + 1];
    if (parent === undefined) {
      if (links.length > at + 1) findings.problem('lineage', 'it has no parent, and the bundle goes on');
      verifyRoot(receipt, subject?.receipt, findings);
      return;
    }
    if (at + 1 >= links.length) {
      // Denied because nobody knew the parent: then nobody can show it.
      if (receipt.code !== 'lineage.parent_unknown') {
        findings.problem('lineage', `its parent ${parent} is missing`);
      }
      return;
    }
    if (next !== undefined) verifyLink(link, next.receipt);
  }
}

/** Verifies that executions are all of one lineage, the root first, each with its parent. */
export function verifyDescendants(root: string, links: readonly (LineageLink | undefined)[]): void {
  const byId = new Map<string, DecisionReceipt>();
  for (const link of links) {
    if (link === undefined) continue;
    if (byId.has(link.receipt.id)) link.findings.problem('lineage', 'the execution is here twice');
    byId.set(link.receipt.id, link.receipt);
  }
  for (const [at, link] of links.entries()) {
    if (link === undefined) continue;
    const { receipt, parent, findings } = link;
    if (at === 0) {
      if (receipt.id !== root) findings.problem('lineage', `it is not the root, ${root}`);
      if (parent !== undefined) findings.problem('lineage', 'the root has a parent');
      continue;
    }
    if (receipt.lineage?.root !== root) findings.problem('lineage', `it is not of the lineage of ${root}`);
    const above = parent === undefined ? undefined : byId.get(parent);
    if (above === undefined) {
      const known = parent === undefined || links.includes(undefined);
      findings.problem('lineage', known ? 'it has no parent here' : `its parent ${parent} is missing`);
    } else verifyLink(link, above);
  }
}

/** A parent was permitted, under a token of the child's chain, one step nearer to the same root. */
function verifyLink({ receipt, parent, findings }: LineageLink, above: DecisionReceipt): void {
  if (above.id !== parent) {
    findings.problem('lineage', `its parent is ${parent}, and the bundle has ${above.id} in its place`);
    return;
  }
  if (receipt.lineage === undefined) return;
  if (above.verdict !== 'permit') findings.problem('lineage', 'its parent was denied');
  if (receipt.lineage.depth !== (above.lineage?.depth ?? 0) + 1) {
    findings.problem('lineage', 'its depth is not one more than that of its parent');
  }
  if (receipt.lineage.root !== (above.lineage?.root ?? above.id)) {
    findings.problem('lineage', 'its root is not that of its parent');
  }
  const tokens = receipt.artifact?.tokenHashes ?? [];
  const leaf = above.artifact?.tokenHashes.at(-1) ?? '';
  if (!tokens.includes(leaf) && tokens.length < CUT_LIST) {
    findings.problem('lineage', 'its parent ran under no token of its chain');
  }
}

function verifyRoot(
  receipt: DecisionReceipt,
  subject: DecisionReceipt | undefined,
  findings: Findings,
): void {
  const { lineage } = receipt;
  if (lineage === undefined) return;
  if (lineage.depth !== 0 || lineage.root !== receipt.id) {
    findings.problem('lineage', 'it has no parent, and is no root');
  }
  if (subject?.lineage !== undefined && subject.lineage.root !== receipt.id) {
    findings.problem('lineage', `it is not the root that the execution names, ${subject.lineage.root}`);
  }
}
