/** Names of all kinds: what is wrong with one says which characters it may have, and where it is written. */
import { expect, it } from 'vitest';
import { problemsIn } from './project-folder.js';

const top = (line: string) => `app: shop\nenvironments:\n  test:\n    tag: x\n${line}\n`;
const own = (line: string) => `app: shop\nenvironments:\n  test:\n    ${line}\n`;

it.each<[text: string, line: number, name: string, allowed: string]>([
  ['app: shöp\nenvironments: { test: { tag: x } }\n', 1, 'app', 'lower-case letters a-z, digits, - and _'],
  [
    'app: shop\nenvironments: { tést: { tag: x }, test: { tag: y } }\n',
    2,
    'environments.tést',
    'letters a-z, digits and -',
  ],
  [own('roles: { wéb: { tag: x } }'), 4, 'environments.test.roles.wéb', 'letters a-z, digits and -'],
  [own('tag: wörkers'), 4, 'environments.test.tag', 'letters a-z, digits and : _ -'],
  [own('droplets: [wörker-1]'), 4, 'environments.test.droplets[0]', 'letters a-z, digits and . -'],
  [
    own('{ droplet: 1, replicas: { services: [wéb, b] } }'),
    4,
    'environments.test.replicas.services[0]',
    'letters a-z, digits and . _ -',
  ],
  [
    top('rollout: { gates: [{ name: érrors, command: "true" }] }'),
    5,
    'rollout.gates[0].name',
    'letters a-z, digits, - and _',
  ],
  [top('profiles: [wéb]'), 5, 'profiles[0]', 'letters a-z, digits and . _ -'],
  [top('env: { PÖOL: { type: integer } }'), 5, 'env.PÖOL', 'letters A-Z, digits and _'],
  [top('secrets: { PÖOL: { command: "true" } }'), 5, 'secrets.PÖOL', 'letters A-Z, digits and _'],
  [top('hooks: { secrets: [TÖKEN] }'), 5, 'hooks.secrets[0]', 'letters A-Z, digits and _'],
  [top('layers: { slöck: {} }'), 5, 'layers.slöck', 'letters a-z, digits and @ . / _ -'],
  [top('image_tag: vé'), 5, 'image_tag', 'letters a-z, digits and . _ -'],
])('%j', async (text, line, name, allowed) => {
  const [problem, ...others] = await problemsIn(text);
  expect(problem).toMatch(`config/deploy.yml:${line}: ${name} `);
  expect(problem).toContain(allowed);
  expect(others).toEqual([]);
});

it('a key is offered in letters that are allowed', async () => {
  const remedy = async (text: string) => (await problemsIn(text))[0]?.replace(/^.*; /, '');
  expect(await remedy(own('roles: { "Wéb 1": { tag: x } }'))).toBe('write `web-1:`');
  expect(await remedy(top('env: { "Pööl-size": { type: integer } }'))).toBe('write `POOL_SIZE:`');
});
