import type { JsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import type { Signer } from '../key/index.ts';
import { createProof } from './create-proof.ts';
import type { Presentation } from './presentation.ts';
import { readToken } from './read-token.ts';

/** Beside the agent: holds its key and artifact, signs one proof per call. The key is nowhere else. */
export interface Presenter {
  /** @param parent id of the execution this call follows from. */
  present(tool: string, args: JsonObject, parent?: string): Presentation | Denial;
  /** Whether the artifact names this tool at all: what lists show. Not an authorization. */
  grants(tool: string): boolean;
}

export interface PresenterOptions {
  /** Compact tokens, root first. */
  readonly chain: readonly string[];
  /** The leaf's holder key. */
  readonly signer: Signer;
  /** The enforcement point that proofs are for. */
  readonly audience: string;
  /**
   * What shows, with the proof of possession of one call, which workload calls (spec/workload.md); a denial, which is then what
   * is presented; or undefined for nothing. Default: nothing.
   */
  readonly workload?: (pop: string) => { readonly wit: string; readonly wpt: string } | Denial | undefined;
  /** Unix time; default: the system clock. */
  readonly nowSeconds?: () => number;
}

/**
 * A presenter for one artifact. The key stays inside the signer: it is in no message, environment, argument or error.
 *
 * The chain is not verified here, the governor does that for every call: an artifact that has expired or is not yet
 * trusted is presented all the same, and denied with its reason.
 *
 * @returns `artifact.missing`, `artifact.malformed`, or `identity.mismatch` where the key is not the leaf holder's.
 */
export function createPresenter(options: PresenterOptions): Presenter | Denial {
  const { chain, signer, audience, workload, nowSeconds = () => Date.now() / 1000 } = options;
  const granted = grantedTools(chain);
  if (isDenial(granted)) return granted;
  if (granted.holder !== signer.publicKey.thumbprint) {
    return deny('identity.mismatch', "the key is not the holder key of the artifact's last token");
  }
  return {
    grants: (tool) => granted.tools.has(tool),
    present(tool, args, parent) {
      const pop = createProof({
        leaf: chain,
        signer,
        tool,
        args,
        audience,
        iatSeconds: Math.floor(nowSeconds()),
        ...(parent === undefined ? {} : { parent }),
      });
      const shown = workload?.(pop);
      return isDenial(shown) ? shown : { aat_chain: chain, aat_pop: pop, ...shown };
    },
  };
}

/** The tools that every token of the chain names. Nothing is verified. */
export function grantedTools(
  chain: readonly string[],
): { tools: ReadonlySet<string>; holder: string } | Denial {
  let tools: ReadonlySet<string> | undefined;
  let holder: string | undefined;
  for (const compact of chain) {
    const token = readToken(compact);
    if (isDenial(token)) return token;
    const outer: ReadonlySet<string> | undefined = tools;
    tools = new Set([...token.tools.keys()].filter((tool) => outer?.has(tool) ?? true));
    holder = token.holder.thumbprint;
  }
  if (tools === undefined || holder === undefined) return deny('artifact.missing', 'the artifact is empty');
  return { tools, holder };
}
