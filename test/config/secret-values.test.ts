import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { collectSecrets, secretValues } from '../../src/config/secret-values.js';
import { COMPOSE, createProject, deployYml, load, TOKEN } from './project-folder.js';

const valuesOf = (name: string, value: string) => secretValues([{ name, value }]);

describe('secret values', () => {
  it.each([
    'SECRET_KEY',
    'db_password',
    'SMTP_PASS',
    'GITHUB_TOKEN',
    'API_KEY',
    'CREDENTIALS',
    'SENTRY_DSN',
    'MYSQL_PWD',
    'DB_PW',
    'JWT',
    'WHATEVER',
    'licence',
  ])('are those named %s: every name is suspect', (name) => {
    expect(valuesOf(name, 'a-long-value')).toEqual(['a-long-value']);
  });

  it.each([
    ['LOG_LEVEL', 'verbose'],
    ['APP_IMAGE', '10.96.0.1:5000/shop'],
    ['NGINX_IMAGE', 'docker.io/library/nginx:1.27-alpine'],
    ['IMAGE', `ghcr.io/acme/shop@sha256:${'0a'.repeat(32)}`],
    ['REGISTRY', 'registry.example.com'],
    ['NODE_ENV', 'production'],
    ['HOST', 'shop.example.com'],
    ['DB_HOST', '10.0.0.5'],
    ['REDIS_HOST', 'redis-01.internal:6379'],
    ['TZ', 'Europe/Berlin'],
    ['LANG', 'en_US.UTF-8'],
    ['PORT', '8080'],
    ['KEYCLOAK_PORT', '8080'],
    ['SESSION_TOKEN_TTL', '86400'],
    ['WORKERS', '4'],
    ['MEMORY', '512m'],
    ['USE_TOKENS', 'true'],
    ['REQUIRE_PASSWORD', 'off'],
    ['DRIVER', 'postgres'],
    ['MODE', 'Production'],
    ['SITE_URL', 'https://shop.example.com'],
    ['STAGING_DROPLET_ID', '412345678'],
    ['PASSWORD', 'abc'],
  ])('are not what is plainly harmless: %s=%s', (name, value) => {
    expect(valuesOf(name, value)).toEqual([]);
  });

  it.each([
    ['PASSWORD', 'postgres'],
    ['PIN', '4711'],
    ['HOST', 'https://ann:hunter2@shop.example.com'],
    ['SLACK_URL', 'https://hooks.slack.com/services/T0/B0/x'],
    ['CACHE_HOST', 'a1b2c3d4e5f60718293a4b5c6d7e8f90'],
    ['AWS_ACCESS_KEY_ID', 'AKIAIOSFODNN7EXAMPLE'],
    ['APP_NAME', '-----BEGIN PRIVATE KEY-----'],
  ])('are what only looks harmless: %s=%s', (name, value) => {
    expect(valuesOf(name, value)).toContain(value);
  });

  it.each([
    ['postgres://shop:change-me@10.0.0.5/shop', ['shop', 'change-me']],
    ['postgres://shop:p4ss#word@db/shop', ['shop', 'p4ss#word']],
    ['postgres://shop:p%4ess@db/shop?sslmode=require', ['shop', 'p%4ess', 'pNss']],
    ['amqp://queue-user:a@b/c@mq', ['queue-user', 'a@b/c']],
    ['amqp://queue-user:long-one@mq-1,amqp://queue-user:other-one@mq-2', ['long-one', 'other-one']],
    ['redis://default:red1s-word@cache:6379', ['red1s-word']],
    ['https://0123456789abcdef@sentry.example/1', ['0123456789abcdef']],
    ['shop:my5ql-word@tcp(db:3306)/shop', ['my5ql-word']],
    ['host=db user=shop password=libpq-word', ['libpq-word']],
    ['https://api.example/hook?token=in-the-query&v=2', ['in-the-query']],
    ['{"type":"service","private_key":"line1\\nline2","ids":["first-one"]}', ['line1\nline2', 'first-one']],
  ])('are also the parts of %s', (value, parts) => {
    const values = valuesOf('ANY_NAME', value);
    expect(values).toEqual(expect.arrayContaining([value, ...parts]));
  });

  it('do not contain an address from a mail address', () => {
    expect(valuesOf('MAIL_FROM', 'someone@shop.example')).toEqual(['someone@shop.example']);
  });

  it('are found in a value that is meant to take the search very long', () => {
    const value = '//:a'.repeat(250_000);
    expect(valuesOf('X', value)).toEqual([value]);
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
    const key = '-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n';
    const settings = await load(root, { env: { SSH_PRIVATE_KEY: key } });
    const values = settings.secrets.map((secret) => secret.reveal());
    expect(values.sort()).toEqual([TOKEN, 'registry-word', 'other-word', 'with spaces', key].sort());
    const shown = inspect(settings, { depth: 9 }) + JSON.stringify(settings);
    for (const value of values) expect(shown).not.toContain(value);
  });

  it('are not the words of the output itself', async () => {
    const root = createProject({
      ...COMPOSE,
      'config/deploy.yml': deployYml(
        'image_tag: v1.2.3-rc1',
        'files: [app.env]',
        'registry: { username: robot-user, password: $WORD }',
      ),
      'app.env': 'A=shop\nB=test-web\nC=web\nD=robot-user\nE=v1.2.3-rc1\n',
    });
    const { secrets } = await load(root, { env: { WORD: 'registry-word' } });
    expect(secrets.map((secret) => secret.reveal())).toEqual([TOKEN, 'registry-word', 'test-web']);
  });

  /* biome-ignore-start lint/suspicious/noTemplateCurlyInString: this is the files' own syntax */
  it('are what an env file holds in every reading: as written, for compose, for dotenv', () => {
    const text = [
      'DB_PASSWORD=ab#LongTail99',
      'SMTP_PASS="quo\\"ted-secret-77"',
      'BASE=first-part',
      'JOINED=${BASE}-second',
      "LITERAL='with $BASE'",
      'CUT=pa$$word99',
    ].join('\n');
    const files = [{ path: 'config/.env.test', mode: 0o600, content: Buffer.from(text) }];
    const values = collectSecrets([], [], files).map((secret) => secret.reveal());
    expect(values).toEqual(
      expect.arrayContaining([
        'ab#LongTail99',
        'quo"ted-secret-77',
        'quo\\"ted-secret-77',
        'first-part-second',
        '${BASE}-second',
        'with $BASE',
        'pa$word99',
        'pa$$word99',
      ]),
    );
  });

  /* biome-ignore-end lint/suspicious/noTemplateCurlyInString: - */

  it('are each line of an env file that compose cannot read, because its message quotes one', () => {
    const key = ['-----BEGIN PRIVATE KEY-----', 'MIIEvQIBADANBgkq/hkiG9w0BAQEFAASC', 'BKcwggSjAgEAAoIBAQ'];
    const readable = Buffer.from(`OTHER=before-it\nKEY=${key.join('\n')}\n`);
    const utf16 = Buffer.from('PASSWORD=wide-word\n', 'utf16le');
    const valuesIn = (content: Buffer) =>
      collectSecrets([], [], [{ path: 'app.env', mode: 0o600, content }]).map((secret) => secret.reveal());
    expect(valuesIn(readable)).toEqual(expect.arrayContaining(['before-it', `KEY=${key[0]}`, ...key]));
    expect(valuesIn(utf16).join()).toContain('w\0o\0r\0d');
  });

  it('are also what an env file holds that comes from a commit', () => {
    const content = Buffer.from('SECRET_KEY=committed-word\nLOG_LEVEL=verbose\n');
    const secrets = collectSecrets([], [], [{ path: 'config/.env.test', mode: 0o600, content }]);
    expect(secrets.map((secret) => secret.reveal())).toEqual(['committed-word']);
  });

  it('are the private keys among the files', () => {
    const key = '-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----\n';
    const file = { path: 'tls/site.pem', mode: 0o600, content: Buffer.from(key) };
    expect(collectSecrets([], [], [file]).map((secret) => secret.reveal())).toEqual([key]);
  });
});
