/** biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the files' own syntax */
/** deploy.yml: settings, or an error of the user's that names a place and no secret. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { knownSecrets } from '../../../src/cli/known-secrets.js';
import { loadSettings } from '../../../src/config/load.js';
import { ConfigError } from '../../../src/config/problems.js';
import { createRedactor } from '../../../src/reporters/redactor.js';
import { expectRefusal, wordsOf } from '../errors.js';
import { sharedFolder } from '../folder.js';
import { expectThat, target } from '../target.js';
import { longText, spoiled } from '../words.js';

const SECRETS = {
  DO_TOKEN: 'dop_v1_9f8e7d6c5b4a',
  DB_PASSWORD: 'correct-horse-9471',
  API_KEY: 'sk_live_51Jx"q\\n7',
};

const VALID = [
  `app: shop
environments:
  test: { load_balancer: web }
`,
  `# yaml-language-server: $schema=./deploy.schema.json
app: shop
compose: [compose/docker-compose.yml]
files: [config/.env.common, config/nginx/]
registry: { server: docker.io, username: $DOCKER_USERNAME, password: $DB_PASSWORD }
git: { require_clean: true, branch: main }
ssh:
  user: deploy
  port: 22
  key: ~/.ssh/id_ed25519
  known_hosts: ~/.ssh/known_hosts
  host_keys: strict
rollout:
  batch: 25%
  keep_releases: 5
  drain: { timeout: 30s }
  health: { timeout: 2m }
  probe: https://shop.example/health
environments:
  staging: { droplet: 123456 }
  test:
    tag: web
    load_balancer: $LOAD_BALANCER
    confirm: true
    rollout:
      batch: 1
    files: ['config/.env.{environment}']
`,
];

const WORDS = [
  ...[
    '$DB_PASSWORD',
    '${DB_PASSWORD}',
    '$API_KEY',
    '"$DO_TOKEN"',
    '[$DB_PASSWORD]',
    '{ a: $API_KEY }',
    '$DB_PASSWORD:',
  ],
  ...[
    '&a',
    '*a',
    '<<: *a',
    '&a [*a, *a]',
    '? ',
    '!!binary aGk=',
    '!!int x',
    '%YAML 1.2',
    '--- ',
    'environments:',
    '  test:',
  ],
  ...[
    'load_balancer: web',
    'droplet: -1',
    'app: ',
    'rollout: { batch: 0 }',
    'files: [/etc/passwd]',
    'files: [../..]',
    "'*'",
  ],
  ...['30s', '99999999h', '1e9', '0', '100%', '-5%', 'null', '[[[', '}}}', '"\\x"', '|', '>-'],
];

const manyKeys = fc
  .tuple(fc.constantFrom(100, 10_000), fc.constantFrom('', 'environments:\n', 'rollout:\n'), fc.boolean())
  .map(([count, above, same]) => {
    const indent = above === '' ? '' : '  ';
    return (
      VALID[0] + above + Array.from({ length: count }, (_, key) => `${indent}key${same ? 1 : key}: ${key}\n`).join('')
    );
  });

const aliases = fc.tuple(fc.integer({ min: 2, max: 30 }), fc.integer({ min: 1, max: 10 })).map(([levels, width]) =>
  Array.from({ length: levels }, (_, level) => {
    const below =
      level === 0
        ? '1'
        : Array(width)
            .fill(`*a${level - 1}`)
            .join(', ');
    return `a${level}: &a${level} [${below}]\n`;
  }).join(''),
);

const bytes = fc.oneof(
  { weight: 20, arbitrary: spoiled(fc.constantFrom(...VALID), WORDS).map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: longText.map((text) => Buffer.from(`app: shop\nx: ${text}`)) },
  { weight: 1, arbitrary: fc.oneof(manyKeys, aliases).map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...VALID), fc.uint8Array({ maxLength: 4 }), fc.nat(300))
      .map(([text, odd, at]) => Buffer.concat([Buffer.from(text.slice(0, at)), odd, Buffer.from(text.slice(at))])),
  },
);

let root: string | undefined;

function project(): string {
  root ??= sharedFolder({
    'compose/docker-compose.yml': 'services: {}\n',
    'config/.env': Object.entries(SECRETS)
      .map(([name, value]) => `${name}='${value}'\n`)
      .concat('DOCKER_USERNAME=ann\n')
      .join(''),
    'config/.env.common': 'A=b\n',
    'config/.env.test': 'A=b\n',
    'config/nginx/nginx.conf': 'events {}\n',
  });
  return root;
}

export const configuration = target({
  name: 'configuration',
  runs: 60,
  inputs: fc.tuple(bytes, fc.constantFrom('release', 'fleet', 'images')),
  async check([content, needs]) {
    const cwd = project();
    writeFileSync(join(cwd, 'config/deploy.yml'), content);
    try {
      await loadSettings({ cwd, environment: 'test', env: { HOME: cwd }, needs: needs as 'release' });
    } catch (error) {
      const refused = expectRefusal(error, 'user');
      // As it is shown: the runner masks what the env files for do-deploy itself hold.
      const words = createRedactor(knownSecrets(cwd, { HOME: cwd }, undefined))(wordsOf(refused));
      for (const secret of Object.values(SECRETS)) expectThat(!words.includes(secret), `a secret is shown: ${words}`);
      if (!(refused instanceof ConfigError)) return;
      expectThat(refused.problems.length > 0, 'it names no problem');
      expectThat(
        refused.problems.every(({ place, remedy }) => place !== '' && remedy !== ''),
        `a place or remedy is missing: ${words}`,
      );
    }
  },
});
