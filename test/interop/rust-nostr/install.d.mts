/** Path of the program, which `npm run test:interop` builds. */
export const PROGRAM: string;
