/** A failure that Docker itself would report: `message` goes to standard error as it is, `exitCode` to the shell. */
export class DockerFailure extends Error {
  override readonly name = 'DockerFailure';
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Something that real Docker (or nginx, or wget) may know and the stand-in does not: it says so instead of guessing. */
export class NotImplemented extends Error {
  override readonly name = 'NotImplemented';
}

/** Docker's own words for an answer of the daemon. */
export function daemonError(text: string, exitCode = 1): DockerFailure {
  return new DockerFailure(`Error response from daemon: ${text}`, exitCode);
}
