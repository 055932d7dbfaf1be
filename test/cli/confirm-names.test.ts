import { describe, expect, it } from 'vitest';
import { COMPOSE, createProject, TOKEN } from '../config/project-folder.js';
import { runCommandLine } from '../support/command-line.js';

const CHECKLIST = [
  'layers:',
  '  checklist:',
  '    - { name: db-snapshot, ask: "Snapshot taken?" }',
  '    - { name: announced, ask: "Announced?", on: deploy }',
];

function run(words: string[], lines = CHECKLIST) {
  const config = ['app: shop', 'environments: { test: { load_balancer: web } }', 'image_tag: v1', ...lines, ''];
  const cwd = createProject({ ...COMPOSE, 'config/deploy.yml': config.join('\n') });
  return runCommandLine(words, { cwd, env: { HOME: cwd, DO_TOKEN: TOKEN } });
}

describe('--confirm', () => {
  it('with a name that is nearly an item names the command to type instead, before anything is contacted', async () => {
    const { exit, stderr } = await run(['test', '--yes', '--confirm', 'announced', '--confirm', 'db-snapshto']);
    expect(exit).toBe(2);
    expect(stderr).toContain('No checklist has an item "db-snapshto".');
    expect(stderr).toContain('do-deploy test --yes --confirm announced --confirm db-snapshot\n');
  });

  it('with another name lists the items', async () => {
    const { exit, stderr } = await run(['rollback', 'test', '--yes', '--confirm=backup']);
    expect(exit).toBe(2);
    expect(stderr).toContain('No checklist has an item "backup".');
    expect(stderr).toContain('items: db-snapshot and announced');
  });

  it('without a checklist is an error', async () => {
    const { exit, stderr } = await run(['adopt', 'test', '--confirm', 'backup'], []);
    expect(exit).toBe(2);
    expect(stderr).toContain('leave out --confirm');
  });

  it('needs a name', async () => {
    const { exit, stderr } = await run(['heal', 'test', '--confirm']);
    expect(exit).toBe(2);
    expect(stderr).toContain('--confirm needs a value.');
  });
});
