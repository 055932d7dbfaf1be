/** Layers of the project whose definition is wrong: problems of config/deploy.yml, found before anything is contacted. */

import { expect, it } from 'vitest';
import { systemClock } from '../../src/adapters/system-clock.js';
import { Secret } from '../../src/config/secret.js';
import { layerReader } from '../../src/layers/read-layers.js';
import { COMPOSE, createProject, deployYml, problemsOf } from '../config/project-folder.js';
import { VirtualClock } from '../support/virtual-clock.js';

const readLayers = layerReader((value) => new Secret(value), systemClock);

/** Of a project whose one layer has these parts besides the usual ones, which they replace. */
async function problemsWith(parts: string): Promise<string[]> {
  const root = createProject({
    ...COMPOSE,
    'config/deploy.yml': deployYml('layers:', '  ./own.js: { a: 1 }'),
    'own.js': `const { z } = require('do-deploy');
module.exports = { name: 'own', kind: 'third-party', config: z.any(), on: { deploy() {} }, ${parts} };\n`,
  });
  return await problemsOf(root, { readLayers });
}

it.each([
  ['config: z.any().transform(() => { throw new Error("boom"); })', 'config fails: boom; correct ./own.js'],
  ["services: () => 'x'", 'services does not return a list of { name, path }; correct ./own.js'],
  ['services: () => [{ name: "a" }]', 'services does not return a list of { name, path }; correct ./own.js'],
  ['services: () => { throw new Error("boom"); }', 'services throws: boom; correct ./own.js'],
  ["confirms: () => 'x'", 'confirms does not return a list of names; correct ./own.js'],
  [
    "confirms: () => [{ name: 'x', on: 'later', commands: [] }]",
    'confirms does not return a list of names; correct ./own.js',
  ],
  ["events: () => ['deployed']", 'events does not return a list of events; correct ./own.js'],
  ["timeoutMs: () => '5s'", 'timeoutMs does not return a number of ms above 0; correct ./own.js'],
  ["timeoutMs: '5s'", 'timeoutMs is not a number of ms above 0; write `timeoutMs: 5_000`'],
  ["on: { pre_deploy: 'x' }", 'on.pre_deploy is not a function; write `async pre_deploy(payload, context) { … }`'],
  ['on: { deploy: { run() {}, timeoutMs: 0 } }', 'on.deploy.timeoutMs is not a number of ms above 0;'],
  ["kind: 'foo'", "kind is not application, third-party or notifier; write `kind: 'third-party'`"],
  ["priority: 'high'", 'priority is not a number; write `priority: 50`'],
  ["requires: 'TOKEN'", 'requires is not a list of names of variables;'],
  ["secrets: 'webhook'", 'secrets is not a list of keys of its settings;'],
  ['mayFail: 1', 'mayFail is not true or false;'],
  ['onEvent: 1', 'onEvent is not a function;'],
])('%s', async (parts, fault) => {
  expect(await problemsWith(parts)).toEqual([
    expect.stringContaining(`config/deploy.yml:4: layers../own.js exports a layer whose ${fault}`),
  ]);
});

it('a right one has none', async () => {
  expect(await problemsWith("timeoutMs: () => 5, services: () => [], confirms: () => ['x'], priority: 0")).toEqual([]);
});

it('a file that does not exist begins with ./', async () => {
  const root = createProject({ ...COMPOSE, 'config/deploy.yml': deployYml('layers: { deploy/layers/x.ts: {} }') });
  expect(await problemsOf(root, { readLayers })).toEqual([
    'config/deploy.yml:3: layers.deploy/layers/x.ts does not exist; create it; a file of yours begins with ./: `./deploy/layers/x.ts`',
  ]);
});

it.each([
  ['while it is loaded', 'await new Promise(() => {});', 'z.any()', 'cannot be loaded: it is not done after 20 s'],
  [
    'while its settings are checked',
    '',
    'z.any().transform(() => new Promise(() => {}))',
    'exports a layer whose config fails: it is not done after 20 s',
  ],
])('one that never ends %s is found out', async (_, top, config, fault) => {
  const root = createProject({
    ...COMPOSE,
    'config/deploy.yml': deployYml('layers: { ./own.mjs: {} }'),
    'own.mjs': `import { defineLayer, z } from 'do-deploy';\n${top}
export default defineLayer({ name: 'own', kind: 'third-party', config: ${config}, on: {} });\n`,
  });
  const clock = new VirtualClock();
  const own = { readLayers: layerReader((value) => new Secret(value), clock) };
  const found = problemsOf(root, own);
  const beat = setInterval(() => void clock.advance(5_000), 50);
  expect(await found).toEqual([expect.stringContaining(`layers../own.mjs ${fault}`)]);
  clearInterval(beat);
});

it('one that is listed in two spellings would run twice', async () => {
  const root = createProject({
    ...COMPOSE,
    'config/deploy.yml': deployYml('layers: { ./own.mjs: {}, ./x/../own.mjs: {} }'),
    'own.mjs': `import { defineLayer, z } from 'do-deploy';
export default defineLayer({ name: 'own', kind: 'third-party', config: z.any(), on: {} });\n`,
  });
  expect(await problemsOf(root, { readLayers })).toEqual([
    'config/deploy.yml:3: layers../x/../own.mjs is the layer ./own.mjs once more; remove one of them',
  ]);
});
