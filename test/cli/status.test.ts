import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { CliContext } from '../../src/cli/context.js';
import { statusCommand } from '../../src/cli/status.js';
import { tellProject } from '../../src/cli/tell-project.js';
import { createProject } from '../config/project-folder.js';

const STATUS = { command: 'status', json: false, verbose: false, noColor: true, check: false } as const;

function contextIn(cwd: string) {
  const stderr = new PassThrough();
  const context = {
    cwd,
    env: {},
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr,
  } as unknown as CliContext;
  return { context, errors: () => String(stderr.read() ?? '') };
}

describe('status', () => {
  const yaml = 'app: shop\nenvironments: { a: { droplet: 1 }, b: { droplet: $B } }\n';

  it('of all environments tells a problem that they share once', async () => {
    const { context, errors } = contextIn(createProject({ 'config/deploy.yml': yaml }));
    expect(await statusCommand(STATUS, context)).toBe(2);
    const text = errors();
    expect(text.match(/DO_TOKEN: /g)).toHaveLength(1);
    expect(text).toContain('error: config/deploy.yml has 2 problems.');
    expect(text).toContain('config/deploy.yml:2: $B is not set (for environments.b.droplet)');
  });

  it('of one environment asks nothing of the others', async () => {
    const { context, errors } = contextIn(createProject({ 'config/deploy.yml': yaml }));
    expect(await statusCommand({ ...STATUS, environment: 'a' }, context)).toBe(2);
    expect(errors()).not.toContain('$B');
  });

  it('in a folder below the project names the project, and places its problems from there', async () => {
    const root = createProject({ 'config/deploy.yml': yaml, 'src/file': '' });
    const { context, errors } = contextIn(join(root, 'src'));
    tellProject(STATUS, context);
    expect(errors()).toBe(`Using the project in ${root}\n`);
    expect(await statusCommand(STATUS, context)).toBe(2);
    expect(errors()).toContain('../config/deploy.yml:2: $B is not set');
    tellProject({ ...STATUS, config: '../config/deploy.yml' }, context);
    tellProject(STATUS, { ...context, cwd: root });
    expect(errors()).toBe('');
  });
});
