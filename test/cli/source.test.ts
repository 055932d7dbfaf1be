/** Settings with the version that they are loaded from, on real repositories. */
import { describe, expect, it } from 'vitest';
import { loadSource, requireRepository } from '../../src/cli/source.js';
import { loadSettings } from '../../src/config/load.js';
import { GIT_ENV, GitProject } from '../support/git-project.js';

const deployYml = (more = '') =>
  `app: shop\nenvironments: { test: { load_balancer: web } }\nfiles: [config/.env.test, nginx/]\n${more}`;
const FILES = {
  '.gitignore': 'config/.env*\n',
  'config/deploy.yml': deployYml(),
  'config/.env.test': 'SECRET_KEY=a-secret-word\n',
  'compose/docker-compose.yml': 'services: {}\n',
  'nginx/nginx.conf': 'v1\n',
};

async function load(
  { root: cwd }: GitProject,
  release?: string,
  options: { workingTree?: boolean; env?: Record<string, string> } = {},
) {
  const env = { ...GIT_ENV, HOME: cwd, DO_TOKEN: 'dop_v1_0123456789abcdef', ...options.env };
  const { workingTree = false } = options;
  const context = {
    env,
    load: async (what: Omit<Parameters<typeof loadSettings>[0], 'cwd' | 'env'>) => loadSettings({ cwd, env, ...what }),
  };
  const source = await loadSource(context, { environment: 'test', workingTree, release });
  const conf = source.settings.files.find(({ path }) => path === 'nginx/nginx.conf');
  return { ...source, conf: conf?.content?.toString() ?? 'from the folder' };
}

describe('the source of a deploy', () => {
  it('is the tag that is named, with the configuration and the secrets that are here', async () => {
    const project = new GitProject(FILES);
    const commit = project.commit('v1');
    project.write({ 'nginx/nginx.conf': 'v2\n', 'config/deploy.yml': deployYml('image_tag: today\n') });
    const source = await load(project, 'v1');
    expect(source).toMatchObject({ conf: 'v1\n', commit: { commit }, settings: { imageTag: 'today' } });
    expect(source.settings.secrets.map((secret) => secret.reveal())).toContain('a-secret-word');
    expect(await load(project, 'v1', { workingTree: true })).toMatchObject({
      conf: 'from the folder',
      commit: { commit, dirty: true },
    });
    expect((await load(project, 'v9')).notice?.message).toMatch(
      /^v9 only sets IMAGE_TAG; the files come from the working tree/,
    );
    expect((await load(project)).notice).toBeUndefined();
  });

  it('is the folder outside of git, and where there is none', async () => {
    const plain = new GitProject(FILES, { init: false });
    const message = 'v1 only sets IMAGE_TAG; the files are the local ones: this is not a git repository.';
    const noGit = { env: { PATH: plain.root } };
    for (const options of [{}, noGit]) {
      const source = await load(plain, 'v1', options);
      expect(source).toMatchObject({ conf: 'from the folder', version: { from: 'folder' }, notice: { message } });
      expect(source.commit).toBeUndefined();
    }
    expect((await load(plain)).notice).toBeUndefined();
    expect(() => requireRepository({ cwd: plain.root, env: GIT_ENV })).toThrow(/is not in a git repository\.$/);
  });

  it('is never guessed where there is a repository, and no git to read it', async () => {
    const project = new GitProject(FILES);
    project.commit('v1');
    const noGit = { env: { PATH: project.root } };
    await expect(load(project, 'v1', noGit)).rejects.toThrow(/ is a git repository, but git is not installed\.$/);
    for (const source of [load(project, 'v1', { ...noGit, workingTree: true }), load(project, undefined, noGit)]) {
      expect(await source).toMatchObject({ conf: 'from the folder', notice: { level: 'warning' } });
    }
  });

  it('is never guessed where git refuses to answer', async () => {
    const project = new GitProject(FILES);
    project.commit('v1');
    project.write({ '.git/config': '[core\n' });
    await expect(load(project, 'v1')).rejects.toThrow(/^git rev-parse failed/);
    expect((await load(project, 'v1', { workingTree: true })).notice).toMatchObject({ level: 'warning' });
    expect(await load(project)).toMatchObject({ conf: 'from the folder', notice: { level: 'warning' } });
    project.write({ 'config/deploy.yml': deployYml('deploy_from: main\n') });
    await expect(load(project)).rejects.toThrow(/^git rev-parse failed/);
  });
});
