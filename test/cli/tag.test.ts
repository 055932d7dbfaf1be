/** The question before a commit. */
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { CliContext } from '../../src/cli/context.js';
import { makeTag } from '../../src/cli/tag.js';
import { GIT_ENV, GitProject } from '../support/git-project.js';

const OPTIONS = { all: false, allowEmpty: false, yes: false, json: false };

function contextOf(project: GitProject, isTTY: boolean) {
  const stream = () => Object.assign(new PassThrough(), { isTTY });
  const [stdin, stdout, stderr] = [stream(), stream(), stream()];
  const context = { cwd: project.root, env: GIT_ENV, stdin, stdout, stderr } as unknown as CliContext;
  return { context, stdin, said: () => String(stdout.read() ?? '') };
}

/** With one staged change. */
function project(): GitProject {
  const made = new GitProject({ a: '1' });
  made.commit();
  made.write({ a: '2' });
  made.git('add', 'a');
  return made;
}

describe('a tag that takes a commit', () => {
  it.each([
    ['y\n', 'version v1'],
    ['\n', 'up to here'],
  ])('is made after a yes at the terminal only: %j', async (typed, head) => {
    const made = project();
    const { context, stdin, said } = contextOf(made, true);
    const tagging = makeTag(made.repository, 'v1', OPTIONS, context);
    stdin.write(typed);
    const tagged = await tagging;
    const text = said();
    expect(text).toMatch(/^To be committed as "version v1":\n {2}a\n/);
    expect(text).toContain('Commit that, and tag it v1? [y/N] ');
    expect(made.git('log', '--max-count=1', '--format=%s')).toBe(head);
    expect(made.git('tag', '--list')).toBe(tagged === undefined ? '' : 'v1');
  });

  it('needs --yes where nobody can answer, and then tells what it commits', async () => {
    const made = project();
    const { context, said } = contextOf(made, false);
    await expect(makeTag(made.repository, 'v1', OPTIONS, context)).rejects.toMatchObject({
      code: 'usage',
      message: 'There are changes to commit first: a.',
      hint: '--yes commits them as "version v1"',
    });
    expect(made.git('tag', '--list')).toBe('');
    expect(await makeTag(made.repository, 'v1', { ...OPTIONS, yes: true }, context)).toMatchObject({
      committed: ['a'],
    });
    expect(said()).toBe('To be committed as "version v1":\n  a\n');
  });

  it('asks nothing when there is nothing to commit', async () => {
    const made = project();
    made.commit();
    const { context, said } = contextOf(made, true);
    expect(await makeTag(made.repository, 'v1', OPTIONS, context)).toMatchObject({ name: 'v1', committed: [] });
    expect(said()).toBe('');
  });

  it('tells of an empty commit, which it makes only when one is wanted', async () => {
    const made = project();
    made.commit();
    const { context, said } = contextOf(made, true);
    expect(await makeTag(made.repository, 'v1', { ...OPTIONS, allowEmpty: true }, context)).toMatchObject({
      committed: [],
    });
    expect(said()).toBe('There was nothing to commit: "version v1" is an empty commit.\n');
    expect(made.git('log', '--max-count=1', '--format=%s')).toBe('version v1');
  });
});
