/** How the command ends when it does not succeed: the exit codes, and the error class for what only the command can say. */

import { CommanderError } from 'commander';
import { isNostrSyncError, type ErrorCode } from '../errors.ts';

export const EXIT = { ok: 0, failed: 1, usage: 2, absent: 3, unreachable: 4 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_CODES_HELP = `
Exit codes:
  0  done
  1  failed
  2  wrong usage: arguments, options, key or value
  3  there is no value
  4  no relay could be reached, or not every relay got everything`;

/** A failure that the command itself found. Its message never holds a key or a payload. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code: string;
  readonly exitCode: ExitCode;

  constructor(code: string, exitCode: ExitCode, message: string) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
  }
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly details?: unknown;
  readonly exitCode: ExitCode;
}

const OWN_EXIT_CODES: Partial<Record<ErrorCode, ExitCode>> = {
  INVALID_NAMESPACE: EXIT.usage,
  INVALID_CATEGORY: EXIT.usage,
  INVALID_PAYLOAD: EXIT.usage,
  PAYLOAD_TOO_LARGE: EXIT.usage,
  INVALID_EXPIRATION: EXIT.usage,
  INVALID_RELAY_URL: EXIT.usage,
  INVALID_EXPORT: EXIT.usage,
  VERSION_NOT_KEPT: EXIT.absent,
  NO_RELAYS_REACHABLE: EXIT.unreachable,
  PAIRING_BAD_CODE: EXIT.usage,
  PAIRING_NO_RELAY: EXIT.unreachable,
  RECOVERY_LENGTH: EXIT.usage,
  RECOVERY_WORD: EXIT.usage,
  RECOVERY_CHECKSUM: EXIT.usage,
  NCRYPTSEC_INVALID: EXIT.usage,
  NCRYPTSEC_TOO_COSTLY: EXIT.usage,
  WRONG_PASSPHRASE: EXIT.usage,
  INVALID_KEY: EXIT.usage,
};

// Some users will try to give a secret as an argument, and messages about arguments quote them.
const SECRETS = new RegExp(
  [
    '(?:nsec|ncryptsec)1[02-9a-z]+',
    '(?<![0-9a-z])[0-9a-f]{64}(?![0-9a-z])',
    // Of words, twelve or more of 3 to 8 letters.
    '(?<![a-z])(?:[a-z]{3,8}[\\s,]+){11,}[a-z]{3,8}(?![a-z])',
    // An invitation to pair, and its typed code.
    'nostrpair:[^\\s\'"]+',
    '(?<![0-9a-z-])[0-9a-z]{4}(?:-[0-9a-z]{4}){2}(?![0-9a-z-])',
  ].join('|'),
  'gi',
);

/** What to tell of an error, whatever it is. */
export function failureOf(error: unknown): Failure {
  const failure = classify(error);
  return { ...failure, message: failure.message.replace(SECRETS, '<redacted>') };
}

function classify(error: unknown): Failure {
  if (error instanceof CommandError) {
    return { code: error.code, message: error.message, exitCode: error.exitCode };
  }
  if (error instanceof CommanderError) {
    return { code: 'USAGE', message: error.message.replace(/^error: /, ''), exitCode: EXIT.usage };
  }
  if (isNostrSyncError(error)) {
    const { code, details } = error;
    const exitCode = OWN_EXIT_CODES[code] ?? EXIT.failed;
    return {
      code,
      message: messageOf(code, error.message),
      exitCode,
      ...(details !== undefined && { details }),
    };
  }
  return {
    code: 'INTERNAL',
    message: error instanceof Error ? error.message : String(error),
    exitCode: EXIT.failed,
  };
}

function messageOf(code: ErrorCode, message: string): string {
  const isInUse = code === 'STORE_FAILED' && message.endsWith('is using it');
  return isInUse
    ? `${message}; wait until it ends, or give this command its own store with --store`
    : message;
}
