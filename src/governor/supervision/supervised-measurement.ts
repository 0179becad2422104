import { type Measurement, type Supervision, withSupervision } from '../../environment/index.ts';

/** Who looks at the process of a session from outside. */
export interface Supervisor {
  /** What is seen now; nothing, where there is nothing to be seen any more. The same object while nothing has changed. */
  look(): Supervision | undefined;
}

/** Joins what a process reports with what its supervisor sees, looking again each time; the same object for the same two. */
export function supervisedMeasurement(
  supervisor: Supervisor | undefined,
): (measurement: Measurement) => Measurement {
  let last: { readonly of: Measurement; readonly by: Supervision | undefined; readonly joined: Measurement };
  return (measurement) => {
    if (supervisor === undefined) return measurement;
    const by = supervisor.look();
    if (last?.of !== measurement || last.by !== by) {
      last = { of: measurement, by, joined: withSupervision(measurement, by) };
    }
    return last.joined;
  };
}
