import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NotImplemented } from '../failure.js';
import { credentialKey, domainOfServer } from '../reference.js';
import type { Credentials } from '../registry.js';
import type { Call, Command } from './call.js';
import { readFlags } from './flags.js';

/** `docker login --username NAME --password-stdin [SERVER]` */
export const login: Command = (engine, call, args, output) => {
  const flags = readFlags('docker login', args, { switches: ['--password-stdin'], options: ['-u|--username'] });
  const username = flags.value('--username');
  if (username === undefined || !flags.has('--password-stdin')) throw new NotImplemented('docker login interactively');
  const password = call.stdin.replace(/\r?\n$/, '');

  engine.mustAnswer();
  const domain = domainOfServer(flags.words[0] ?? 'docker.io');
  engine.registry.logIn(domain, { username, password });
  const config = readConfig(call);
  const auth = Buffer.from(`${username}:${password}`).toString('base64');
  writeConfig(call, { ...config, auths: { ...config.auths, [credentialKey(domain)]: { auth } } });
  output.out('Login Succeeded');
};

/** The credentials that an earlier login has stored for a registry. */
export function credentialsFor(call: Call): (domain: string) => Credentials | undefined {
  const { auths = {} } = readConfig(call);
  return (domain) => {
    const auth = auths[credentialKey(domain)]?.auth;
    if (auth === undefined) return undefined;
    const [username = '', ...password] = Buffer.from(auth, 'base64').toString('utf8').split(':');
    return { username, password: password.join(':') };
  };
}

interface ClientConfig {
  auths?: Record<string, { auth?: string }>;
}

function configPath({ env }: Call): string {
  return join(env.DOCKER_CONFIG ?? join(env.HOME ?? '', '.docker'), 'config.json');
}

function readConfig(call: Call): ClientConfig {
  try {
    return JSON.parse(readFileSync(configPath(call), 'utf8')) as ClientConfig;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

function writeConfig(call: Call, config: ClientConfig): void {
  const path = configPath(call);
  mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 });
  writeFileSync(path, JSON.stringify(config, undefined, '\t'), { mode: 0o600 });
}
