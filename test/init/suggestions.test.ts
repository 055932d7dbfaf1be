import { describe, expect, it } from 'vitest';
import { recogniseCi } from '../../src/init/ci.js';
import { composeEntries, fileEntries, writtenMounts } from '../../src/init/suggestions.js';
import { aSurvey } from './folder.js';

const BOTH = ['staging', 'production'] as const;

describe('compose files', () => {
  it('are found at the top, in the order of docker compose, and in compose/ first', () => {
    const all = [
      'docker-compose.yml',
      'compose.yml',
      'compose.yaml',
      'compose/compose.yaml',
      'compose/docker-compose.yml',
    ];
    const { composeBases } = aSurvey(Object.fromEntries(all.map((path) => [path, ''])));
    expect(composeBases).toEqual([
      'compose/docker-compose.yml',
      'compose/compose.yaml',
      'compose.yaml',
      'compose.yml',
      'docker-compose.yml',
    ]);
  });

  it('come with those of environments, optional where not all have one', () => {
    const one = aSurvey({ 'compose.yaml': '', 'compose.production.yaml': '' });
    expect(composeEntries('compose.yaml', BOTH, one)).toEqual(['compose.yaml', 'compose.{environment}.yaml?']);
    expect(composeEntries('compose.yaml', ['production'], one)).toEqual(['compose.yaml', 'compose.{environment}.yaml']);
    expect(composeEntries('compose.yaml', ['staging'], one)).toEqual(['compose.yaml']);
  });
});

describe('files', () => {
  const filesOf = (files: Record<string, string>, base = 'compose.yaml') => {
    const survey = aSurvey(files);
    return fileEntries(survey.needs(base), BOTH, survey);
  };

  it('are the usual env files and the folder of nginx', () => {
    const usual = ['.env', '.env.common', 'config/.env.common', 'config/.env.staging', 'config/nginx/nginx.conf'];
    expect(filesOf(Object.fromEntries(usual.map((path) => [path, ''])))).toEqual([
      '.env',
      '.env.common',
      'config/.env.common',
      'config/.env.{environment}?',
      'config/nginx/',
    ]);
    expect(filesOf({ 'config/.env': 'DO_TOKEN=x', 'config/.env.production.example': '' })).toEqual([]);
  });

  it('are those that compose mounts or reads, but no data, nothing from elsewhere and nothing twice', () => {
    const compose = `services:
  web:
    env_file: [app.env, { path: config/.env.production, required: false }, config/.env, gone.env, ../out.env]
    volumes:
      - ./nginx.conf:/etc/nginx/nginx.conf
      - ./static:/srv:ro
      - ./data:/data
      - ./new:/new
      - pgdata:/var/lib
      - /etc/localtime:/etc/localtime:ro
      - \${HOME}/x:/x:ro
      - ../up:/up:ro
      - { type: bind, source: ./certs, target: /certs, read_only: true }
      - { type: bind, source: ./config/nginx/extra.conf, target: /c, read_only: true }
      - { type: volume, source: cache, target: /cache }
  job: { env_file: app.env }
`;
    const files = {
      'compose.yaml': compose,
      ...Object.fromEntries(
        [
          'app.env',
          'config/.env',
          'config/.env.production',
          'nginx.conf',
          'static/x',
          'data/x',
          'certs/x',
          'config/nginx/extra.conf',
        ].map((path) => [path, '']),
      ),
    };
    expect(filesOf(files)).toEqual([
      'app.env',
      'config/.env.{environment}?',
      'config/nginx/',
      'nginx.conf',
      'static/',
      'certs/',
    ]);
    const survey = aSurvey(files);
    expect(writtenMounts(survey.needs('compose.yaml'), survey)).toEqual(['data', 'new']);
  });

  it('start from the folder of the compose file', () => {
    const compose = 'services: { web: { env_file: ../app.env, volumes: ["./x.conf:/x:ro"] } }';
    expect(
      filesOf({ 'compose/compose.yaml': compose, 'app.env': '', 'compose/x.conf': '' }, 'compose/compose.yaml'),
    ).toEqual(['app.env', 'compose/x.conf']);
  });

  it.each([
    '',
    '- a',
    'services: 3',
    'services: { a: 1, b: { volumes: 7, env_file: { x: 1 } } }',
    'a: [',
    '&a [*a]',
    'a: *b',
  ])('of a compose file that makes no sense are none: %s', (text) => {
    expect(filesOf({ 'compose.yaml': text })).toEqual([]);
  });
});

it.each([
  [{ '.github/x': '' }, '', 'github'],
  [{ '.gitlab-ci.yml': '' }, 'url = git@github.com:a/b.git', 'gitlab'],
  [{ Jenkinsfile: '' }, '', 'jenkins'],
  [{}, '[remote "origin"]\n\turl = git@github.com:acme/shop.git\n', 'github'],
  [{}, '\turl = https://gitlab.example.com/acme/shop', 'gitlab'],
  [{}, '\turl = https://example.com/github.com', undefined],
  [{}, '', undefined],
])('the CI of %o with %s is %s', (files, gitConfig, name) => {
  expect(recogniseCi(aSurvey(files as Record<string, string>).exists, gitConfig)).toBe(name);
});
