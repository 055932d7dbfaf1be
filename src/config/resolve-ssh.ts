import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ProblemList } from './problems.js';
import { type Project, placeOf } from './project.js';
import { DEFAULTS, type EnvironmentSection } from './schema.js';
import { Secret } from './secret.js';
import type { SshSettings } from './settings.js';
import type { ProcessEnv } from './variables.js';

/** SSH settings with absolute paths. Files that were named must exist; the usual ones may. */
export function resolveSsh(
  project: Project,
  written: NonNullable<EnvironmentSection['ssh']>,
  environment: string,
  env: ProcessEnv,
  problems: ProblemList,
): SshSettings {
  const absolute = (path: string) =>
    /^~(\/|$)/.test(path) ? join(env.HOME || homedir(), path.slice(1)) : resolve(project.root, path);
  const requireFile = (key: 'key' | 'config', path: string) => {
    if (existsSync(absolute(path))) return;
    problems.add(placeOf(project, environment, ['ssh', key]), `ssh.${key}: ${path} does not exist`, 'correct the path');
  };

  const { key } = written;
  if (key !== undefined) requireFile('key', key);
  if (written.config !== undefined) requireFile('config', written.config);
  const configPath = absolute(written.config ?? DEFAULTS.ssh.config);
  const privateKey = readPrivateKey(project, problems);
  const unwritten = [
    written.user === undefined ? (['user'] as const) : [],
    written.port === undefined ? (['port'] as const) : [],
    written.known_hosts === undefined ? (['knownHostsPath'] as const) : [],
  ].flat();
  return {
    user: written.user ?? DEFAULTS.ssh.user,
    port: written.port ?? DEFAULTS.ssh.port,
    ...(unwritten.length > 0 && { unwritten }),
    ...(key !== undefined && { keyPath: absolute(key) }),
    ...(privateKey && { privateKey }),
    ...(env.SSH_AUTH_SOCK && { agentSocket: env.SSH_AUTH_SOCK }),
    ...(existsSync(configPath) && { configPath }),
    knownHostsPath: absolute(written.known_hosts ?? DEFAULTS.ssh.known_hosts),
    hostKeys: written.host_keys ?? DEFAULTS.ssh.host_keys,
    address: written.address ?? DEFAULTS.ssh.address,
  };
}

function readPrivateKey({ variables }: Project, problems: ProblemList): Secret | undefined {
  const value = variables.get('SSH_PRIVATE_KEY');
  if (!value) return undefined;
  if (!/^(-----BEGIN [A-Z ]*PRIVATE KEY-----|PuTTY-User-Key-File-)/.test(value.trim())) {
    const remedy = 'put the whole content of the private key file there, from its line -----BEGIN';
    problems.add('SSH_PRIVATE_KEY', 'holds no private key', remedy);
  }
  return new Secret(value);
}
