import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { commandIn } from '../../src/commands/sandbox/sandbox.js';
import { createProject } from '../config/project-folder.js';

it('names npx where it finds do-deploy, and else the command itself', () => {
  const root = createProject({
    'user/node_modules/.bin/do-deploy': '',
    'user/sandbox/x': '',
    'user/other/package.json': '{}',
    'user/other/sandbox/x': '',
    'alone/x': '',
  });
  expect(commandIn(resolve('.do-deploy/sandbox/project'))).toBe('npx do-deploy');
  expect(commandIn(join(root, 'user/sandbox'))).toBe('npx do-deploy');
  const itself = `node ${resolve('dist/main.js')}`;
  expect([join(root, 'user/other/sandbox'), join(root, 'alone')].map(commandIn)).toEqual([itself, itself]);
});
