/** Whether two byte arrays are the same, in a time that tells nothing of what is in them. */

export { equalBytes } from '@noble/ciphers/utils.js';
