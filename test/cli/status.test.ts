import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createProject } from '../config/project-folder.js';
import { runCommandLine } from '../support/command-line.js';

describe('status', () => {
  const yaml = 'app: shop\nenvironments: { a: { droplet: 1 }, b: { droplet: $B } }\n';
  const status = (cwd: string, ...words: string[]) => runCommandLine(['status', ...words], { cwd });

  it('of all environments shows a problem that they share once', async () => {
    const { exit, stderr } = await status(createProject({ 'config/deploy.yml': yaml }));
    expect(exit).toBe(2);
    expect(stderr.match(/DO_TOKEN: /g)).toHaveLength(1);
    expect(stderr).toContain('error: config/deploy.yml has 2 problems.');
    expect(stderr).toContain('config/deploy.yml:2: $B is not set (for environments.b.droplet)');
  });

  it('of one environment asks nothing of the others', async () => {
    const { exit, stderr } = await status(createProject({ 'config/deploy.yml': yaml }), 'a');
    expect(exit).toBe(2);
    expect(stderr).not.toContain('$B');
  });

  it('in a folder below the project names the project, and places its problems from there', async () => {
    const root = createProject({ 'config/deploy.yml': yaml, 'src/file': '' });
    const below = await status(join(root, 'src'));
    expect(below.exit).toBe(2);
    expect(below.stderr).toMatch(`Using the project in ${root}\n`);
    expect(below.stderr).toContain('../config/deploy.yml:2: $B is not set');
    const chosen = await status(join(root, 'src'), '--config', '../config/deploy.yml');
    const inside = await status(root);
    expect(chosen.stderr + inside.stderr).not.toContain('Using the project');
  });
});
