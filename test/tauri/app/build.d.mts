/** Where the built app is. */
export const BINARY: string;
