/** A failure that Docker itself would report: `message` goes to standard error unchanged. */
export class DockerFailure extends Error {
  override readonly name = 'DockerFailure';
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Something that real Docker (or nginx, or wget) may support and the stand-in does not: it fails instead of guessing. */
export class NotImplemented extends Error {
  override readonly name = 'NotImplemented';
}

/** A failure reported by the daemon, in Docker's words. */
export function daemonError(text: string, exitCode = 1): DockerFailure {
  return new DockerFailure(`Error response from daemon: ${text}`, exitCode);
}
