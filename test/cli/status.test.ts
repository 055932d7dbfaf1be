import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { CliContext } from '../../src/cli/context.js';
import { statusCommand } from '../../src/cli/status.js';
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
});
