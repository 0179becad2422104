import { randomBytes } from 'node:crypto';
import type { Digest } from '../../codec/index.ts';
import {
  findQuoteProblem,
  QUOTE_PROBLEMS,
  qualifyingData,
  Tpm2Tools,
  type TpmAttester,
  TpmFailure,
} from '../../environment/index.ts';
import type { AttesterFile } from './attester-file.ts';

/** Asks a TPM, and says what is otherwise than it was enrolled: each PCR by its number. Empty where nothing is. */
export async function findTpmDrift(
  { tcti, handle }: AttesterFile,
  attester: TpmAttester,
  environment: Digest,
): Promise<readonly string[]> {
  const indices = attester.pcrs.map(({ index }) => index);
  const data = qualifyingData(randomBytes(32), environment);
  try {
    return await Tpm2Tools.with(tcti, async (tpm) => {
      const problem = findQuoteProblem(await tpm.quote(handle, indices, data), attester, data);
      if (problem === undefined) return [];
      if (problem !== QUOTE_PROBLEMS.state) return [`its quote does not count: ${problem}`];
      // The quote has their digest alone; which of them it was, the TPM says unsigned.
      const now = await tpm.readPcrs(indices);
      return now.flatMap(({ index, digest }, at) => {
        const before = attester.pcrs[at]?.digest;
        return before === digest ? [] : [`PCR ${index} was ${before}, is ${digest}`];
      });
    });
  } catch (error) {
    if (error instanceof TpmFailure) return [error.message];
    throw error;
  }
}
