/**
 * The one error shape a user sees: a stable code, a message with values and units, a hint that names the next command.
 * Every code is listed in docs/errors.md; a test holds both ways.
 */
export type ErrorCode =
  | 'ZDSUP_APP_AMBIGUOUS'
  | 'ZDSUP_APP_NOT_RUNNING'
  | 'ZDSUP_APP_RUNNING'
  | 'ZDSUP_APP_UNRESPONSIVE'
  | 'ZDSUP_CHECK_FAILED'
  | 'ZDSUP_CONFIG_EMPTY'
  | 'ZDSUP_CONFIG_EXITED'
  | 'ZDSUP_CONFIG_INVALID'
  | 'ZDSUP_CONFIG_MISSING'
  | 'ZDSUP_CONFIG_THREW'
  | 'ZDSUP_CONFIG_TIMEOUT'
  | 'ZDSUP_CONTROL_PROTOCOL'
  | 'ZDSUP_DEPLOY_FAILED'
  | 'ZDSUP_DEPLOY_REFUSED'
  | 'ZDSUP_DEPLOY_UNDER_WAY'
  | 'ZDSUP_ENTRY_TYPESCRIPT'
  | 'ZDSUP_ENV_FILE'
  | 'ZDSUP_FORK_FAILED'
  | 'ZDSUP_HTTP_LISTEN'
  | 'ZDSUP_HTTP_OFF'
  | 'ZDSUP_INTERNAL'
  | 'ZDSUP_LOG_ELSEWHERE'
  | 'ZDSUP_LOG_UNWRITABLE'
  | 'ZDSUP_NODE_UNSUPPORTED'
  | 'ZDSUP_NOT_ROOTS_ALONE'
  | 'ZDSUP_RECORD_BROKEN'
  | 'ZDSUP_RECYCLE_FAILED'
  | 'ZDSUP_RECYCLE_REFUSED'
  | 'ZDSUP_RELEASE_BROKEN'
  | 'ZDSUP_RELEASE_CHANGED'
  | 'ZDSUP_RELEASE_MISSING'
  | 'ZDSUP_ROLLBACK_NOTHING'
  | 'ZDSUP_ROLLOUT_FAILED'
  | 'ZDSUP_ROLLOUT_REFUSED'
  | 'ZDSUP_ROLLOUT_UNDER_WAY'
  | 'ZDSUP_ROLLOUT_UNKNOWN'
  | 'ZDSUP_SCALE_FAILED'
  | 'ZDSUP_SCALE_REFUSED'
  | 'ZDSUP_SIGNAL_REFUSED'
  | 'ZDSUP_SIGNAL_UNHEARD'
  | 'ZDSUP_SIGNAL_UNKNOWN'
  | 'ZDSUP_START_DIED'
  | 'ZDSUP_SCRIPT_MISSING'
  | 'ZDSUP_SCRIPT_NOT_A_FILE'
  | 'ZDSUP_CWD_MISSING'
  | 'ZDSUP_SOCKET_PATH_LONG'
  | 'ZDSUP_STATE_FOREIGN'
  | 'ZDSUP_STATE_UNWRITABLE'
  | 'ZDSUP_STOPPING'
  | 'ZDSUP_SYSTEMD_FAILED'
  | 'ZDSUP_SYSTEMD_MISSING'
  | 'ZDSUP_SYSTEMD_REFUSED'
  | 'ZDSUP_UNIT_FOREIGN'
  | 'ZDSUP_UNIT_MISSING'
  | 'ZDSUP_UNIT_UNWRITABLE'
  | 'ZDSUP_USAGE'
  | 'ZDSUP_USER_CANNOT_READ'
  | 'ZDSUP_USER_NEEDS_ROOT'
  | 'ZDSUP_USER_UNKNOWN'
  | 'ZDSUP_VERSION_MISMATCH';

/** 0 done; 1 failed; 2 wrong usage or bad config; 3 no such app or not running; 4 refused, another rollout is under way. */
export type ExitStatus = 0 | 1 | 2 | 3 | 4;

/** Plain-data form of a {@link ZdsupError}, as it travels over the control socket and is printed by `--json`. */
export interface ErrorReport {
  code: ErrorCode;
  message: string;
  hint?: string;
  exitStatus: ExitStatus;
}

/** An error a user can act on: printed without a stack trace, as `error`, `hint`, and the exit status. */
export class ZdsupError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly exitStatus: ExitStatus;
  /** The last lines that the failed worker wrote to stderr, for programs. */
  readonly stderr: readonly string[];

  constructor(report: ErrorReport, stderr: readonly string[] = []) {
    super(report.message);
    this.name = 'ZdsupError';
    this.code = report.code;
    this.hint = report.hint;
    this.exitStatus = report.exitStatus;
    this.stderr = stderr;
  }

  toReport(): ErrorReport {
    const { code, message, hint, exitStatus } = this;
    return hint === undefined ? { code, message, exitStatus } : { code, message, hint, exitStatus };
  }
}

/** Told by its name: the joined command has a copy of the class, and the modules that it starts a master with another (docs/adr/0011). */
export const isZdsupError = (error: unknown): error is ZdsupError =>
  error instanceof Error && error.name === 'ZdsupError';

/** Any thrown value as a report; what is no {@link ZdsupError} is a defect of zdsup itself and says so. */
export function toReport(error: unknown): ErrorReport {
  if (isZdsupError(error)) return error.toReport();
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: 'ZDSUP_INTERNAL',
    message: `unexpected: ${message}`,
    hint: 'this is a defect of zdsup: run again with ZDSUP_DEBUG=1 for the stack and report it',
    exitStatus: 1,
  };
}
