export { Denial, deny, isDenial } from './denial.ts';
export {
  isReasonCode,
  REASON_CODES,
  REASONS,
  type Reason,
  type ReasonCode,
  STAGES,
  type Stage,
} from './reason-codes.ts';
