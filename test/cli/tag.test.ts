/** The question before a commit. */
import { describe, expect, it } from 'vitest';
import { runCommandLine } from '../support/command-line.js';
import { GIT_ENV, GitProject } from '../support/git-project.js';

/** With one staged change. */
function project(): GitProject {
  const made = new GitProject({ a: '1' });
  made.commit();
  made.write({ a: '2' });
  made.git('add', 'a');
  return made;
}

function tag(made: GitProject, words: string[], options: { isTerminal?: boolean; answer?: string } = {}) {
  return runCommandLine(['tag', 'v1', '--no-color', ...words], { cwd: made.root, env: GIT_ENV, ...options });
}

const MADE = /v1 is commit [0-9a-f]{7}, here only\. To push it: git push --follow-tags\n$/;

describe('a tag that takes a commit', () => {
  it.each([
    ['y\n', 'version v1', 0],
    ['\n', 'up to here', 130],
  ])('is made after a yes at the terminal only: %j', async (answer, head, code) => {
    const made = project();
    const { exit, stdout } = await tag(made, [], { isTerminal: true, answer });
    expect(exit).toBe(code);
    expect(stdout).toMatch(/^To be committed as "version v1":\n {2}a\n/);
    expect(stdout).toContain('Commit this and tag it v1? [y/N] ');
    expect(stdout).toMatch(code === 0 ? MADE : /Nothing was committed or tagged\.\n$/);
    expect(made.git('log', '--max-count=1', '--format=%s')).toBe(head);
    expect(made.git('tag', '--list')).toBe(code === 0 ? 'v1' : '');
  });

  it('needs --yes where no user can answer, and then shows what it commits', async () => {
    const made = project();
    expect(await tag(made, [])).toEqual({
      exit: 2,
      stdout: '',
      stderr:
        'error: There are changes to commit first: a.\n  try: do-deploy tag v1 --yes commits them as "version v1"\n',
    });
    expect(made.git('tag', '--list')).toBe('');
    const { exit, stdout } = await tag(made, ['--yes']);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^To be committed as "version v1":\n {2}a\nv1 is commit/);
  });

  it('asks nothing when there is nothing to commit', async () => {
    const made = project();
    made.commit();
    const { exit, stdout } = await tag(made, [], { isTerminal: true });
    expect([exit, stdout.split('\n').length]).toEqual([0, 2]);
    expect(stdout).toMatch(MADE);
  });

  it('says so when the commit is empty, and makes one only on request', async () => {
    const made = project();
    made.commit();
    const { stdout } = await tag(made, ['--allow-empty']);
    expect(stdout).toMatch(/^There was nothing to commit: "version v1" is an empty commit\.\n/);
    expect(made.git('log', '--max-count=1', '--format=%s')).toBe('version v1');
  });

  it('with --json is one object, and the words are on standard error', async () => {
    const made = project();
    const { stdout, stderr } = await tag(made, ['--yes', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ type: 'tagged', name: 'v1', committed: ['a'] });
    expect(stderr).toBe('To be committed as "version v1":\n  a\n');
  });
});
