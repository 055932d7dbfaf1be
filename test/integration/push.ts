/** A clone that pushes to the repository of push-to-deploy. */
import { execFileSync, spawn } from 'node:child_process';

export interface Pushed {
  code: number | null;
  /** What the pusher sees. */
  said: string;
}

/** Of the machine's own configuration of git, nothing counts. */
export const GIT_ENV = {
  PATH: process.env.PATH ?? '',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_AUTHOR_NAME: 'Ann',
  GIT_AUTHOR_EMAIL: 'ann@example.com',
  GIT_COMMITTER_NAME: 'Ann',
  GIT_COMMITTER_EMAIL: 'ann@example.com',
};

export class Clone {
  constructor(
    readonly folder: string,
    readonly remote: string,
    readonly env: Readonly<Record<string, string>> = {},
  ) {
    this.git('init', '--quiet');
    this.git('checkout', '--quiet', '-b', 'main');
  }

  git(...args: string[]): string {
    return execFileSync('git', args, { cwd: this.folder, env: { ...GIT_ENV, ...this.env }, encoding: 'utf8' }).trim();
  }

  /** Returns the commit. */
  commit(message: string): string {
    this.git('add', '--all');
    this.git('commit', '--quiet', '--allow-empty', '-m', message);
    return this.git('rev-parse', 'HEAD');
  }

  push(...refs: string[]): Promise<Pushed> {
    return this.startPush(...refs).ended;
  }

  /** `lose` ends git and its ssh at once, as a laptop that is closed. */
  startPush(...refs: string[]): { ended: Promise<Pushed>; until(text: string): Promise<void>; lose(): void } {
    const child = spawn('git', ['push', this.remote, ...refs], {
      cwd: this.folder,
      env: { ...GIT_ENV, ...this.env },
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
    const ended = new Promise<Pushed>((settle) => {
      child.on('close', (code) => settle({ code, said: said.replace(/^remote: ?/gm, '').replace(/[ \t]+$/gm, '') }));
    });
    const seen = (text: string) =>
      new Promise<void>((settle) => {
        const look = () => {
          if (said.includes(text)) settle();
        };
        child.stderr.on('data', look);
        look();
      });
    return {
      ended,
      until: (text) =>
        Promise.race([
          seen(text),
          ended.then(({ said }) => {
            if (!said.includes(text)) throw new Error(`it ended without "${text}":\n${said}`);
          }),
        ]),
      lose: () => void process.kill(-(child.pid ?? 0), 'SIGKILL'),
    };
  }
}
