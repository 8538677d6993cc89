/** Path of the program, which `npm run test:reference` builds. */
export const PROGRAM: string;
