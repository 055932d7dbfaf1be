/** Settings with the version that they are loaded from, on real repositories. */
import { describe, expect, it } from 'vitest';
import { loadSource, requireRepository } from '../../src/cli/source.js';
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

function load(project: GitProject, release?: string, options: { workingTree?: boolean; env?: object } = {}) {
  const env = { ...GIT_ENV, HOME: project.root, DO_TOKEN: 'dop_v1_0123456789abcdef', ...options.env };
  const { workingTree = false } = options;
  const source = loadSource({ environment: 'test', workingTree, release }, { cwd: project.root, env });
  const conf = source.settings.files.find(({ path }) => path === 'nginx/nginx.conf');
  return { ...source, conf: conf?.content?.toString() ?? 'from the folder' };
}

describe('the source of a deploy', () => {
  it('is the tag that is named, with the configuration and the secrets that are here', () => {
    const project = new GitProject(FILES);
    const commit = project.commit('v1');
    project.write({ 'nginx/nginx.conf': 'v2\n', 'config/deploy.yml': deployYml('image_tag: today\n') });
    const source = load(project, 'v1');
    expect(source).toMatchObject({ conf: 'v1\n', commit: { commit }, settings: { imageTag: 'today' } });
    expect(source.settings.secrets.map((secret) => secret.reveal())).toContain('a-secret-word');
    expect(load(project, 'v1', { workingTree: true })).toMatchObject({
      conf: 'from the folder',
      commit: { commit, dirty: true },
    });
    expect(load(project, 'v9').notice?.message).toMatch(/^v9 is IMAGE_TAG only; the files are the working tree's/);
    expect(load(project)).not.toHaveProperty('notice');
  });

  it('is the folder outside of git, and where there is none', () => {
    const plain = new GitProject(FILES, { init: false });
    const message = 'v1 is IMAGE_TAG only; the files are those that are here: this is no git repository.';
    const noGit = { env: { PATH: plain.root } };
    for (const options of [{}, noGit]) {
      const source = load(plain, 'v1', options);
      expect(source).toMatchObject({ conf: 'from the folder', version: { from: 'folder' }, notice: { message } });
      expect(source).not.toHaveProperty('commit');
    }
    expect(load(plain)).not.toHaveProperty('notice');
    expect(() => requireRepository({ cwd: plain.root, env: GIT_ENV })).toThrow(/is not in a git repository\.$/);
  });

  it('is never guessed where there is a repository, and no git to read it', () => {
    const project = new GitProject(FILES);
    project.commit('v1');
    const noGit = { env: { PATH: project.root } };
    expect(() => load(project, 'v1', noGit)).toThrow(/ is a git repository, but git is not installed\.$/);
    for (const source of [load(project, 'v1', { ...noGit, workingTree: true }), load(project, undefined, noGit)]) {
      expect(source).toMatchObject({ conf: 'from the folder', notice: { level: 'warning' } });
    }
  });

  it('is never guessed where git refuses to answer', () => {
    const project = new GitProject(FILES);
    project.commit('v1');
    project.write({ '.git/config': '[core\n' });
    expect(() => load(project, 'v1')).toThrow(/^git rev-parse failed/);
    expect(load(project, 'v1', { workingTree: true }).notice).toMatchObject({ level: 'warning' });
    expect(load(project)).toMatchObject({ conf: 'from the folder', notice: { level: 'warning' } });
    project.write({ 'config/deploy.yml': deployYml('deploy_from: main\n') });
    expect(() => load(project)).toThrow(/^git rev-parse failed/);
  });
});
