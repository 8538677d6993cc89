export const FILES: readonly string[];
