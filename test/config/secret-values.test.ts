import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { collectSecrets, secretValues } from '../../src/config/secret-values.js';
import { COMPOSE, createProject, deployYml, load, TOKEN } from './project-folder.js';

describe('secret values', () => {
  it.each(['SECRET_KEY', 'db_password', 'SMTP_PASS', 'GITHUB_TOKEN', 'API_KEY', 'CREDENTIALS', 'SENTRY_DSN'])(
    'are those named like %s',
    (name) => {
      expect(secretValues([[name, 'a-long-value']])).toEqual(['a-long-value']);
    },
  );

  it('are URLs with a password, whatever their name, and the password alone', () => {
    const url = 'postgres://shop:change-me@10.0.0.5/shop';
    expect(secretValues([['DATABASE', url]])).toEqual([url, 'change-me']);
  });

  it('are not ordinary settings, nor values too short to be told from ordinary text', () => {
    expect(
      secretValues([
        ['LOG_LEVEL', 'a-long-value'],
        ['PASSWORD', 'short'],
        ['SITE_URL', 'https://shop.example/a:b@c'],
      ]),
    ).toEqual([]);
  });

  it('of a project are its credentials and what its env files hold', async () => {
    const root = createProject({
      ...COMPOSE,
      'config/deploy.yml': deployYml(
        'files: [config/.env.test]',
        'registry: { username: me, password: $DOCKER_PASSWORD }',
      ),
      'config/.env': 'DOCKER_PASSWORD=registry-word\nOTHER_TOKEN=other-word\n',
      'config/.env.test': 'SECRET_KEY="with spaces"\nLOG_LEVEL=verbose\n',
    });
    const settings = await load(root, { env: { SSH_PRIVATE_KEY: '-----BEGIN PRIVATE KEY-----\nabc\n' } });
    const values = settings.secrets.map((secret) => secret.reveal());
    expect(values.sort()).toEqual(
      [TOKEN, 'registry-word', 'other-word', 'with spaces', '-----BEGIN PRIVATE KEY-----\nabc\n'].sort(),
    );
    const shown = inspect(settings, { depth: 9 }) + JSON.stringify(settings);
    for (const value of values) expect(shown).not.toContain(value);
  });

  it('are also what an env file holds that comes from a commit', () => {
    const content = Buffer.from('SECRET_KEY=committed-word\nLOG_LEVEL=verbose\n');
    const secrets = collectSecrets([], new Map(), [{ path: 'config/.env.test', mode: 0o600, content }]);
    expect(secrets.map((secret) => secret.reveal())).toEqual(['committed-word']);
  });
});
