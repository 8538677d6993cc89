export declare const GROUPS: readonly {
  readonly files: readonly string[];
  readonly tests: readonly string[];
}[];
