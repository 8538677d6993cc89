/** One planted fault. */
export interface Mutant {
  readonly name: string;
  /** Where under `src/`, what stands there once, and what is put there instead. */
  readonly patches: readonly (readonly [where: string, from: string, to: string])[];
  /** The history in `regressions/` that is to notice. */
  readonly kept?: string;
  readonly tests?: readonly string[];
}

export const MUTANTS: readonly Mutant[];
