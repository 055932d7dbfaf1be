import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { ComposeNeeds } from '../../../src/deploy/staging/check-compose.js';
import { needsCommand, readMissingNeeds } from '../../../src/deploy/staging/compose-needs.js';

const need = (name: string) => ({ name, at: [name] });
const NEEDS: ComposeNeeds = {
  networks: [need('there'), need('proxy')],
  volumes: [need('there'), need('data'), need('unclear')],
  containers: ['own', 'free', 'taken', 'bare'].map((name) => ({ name, service: `the ${name}`, at: [name] })),
  paths: [
    { path: '/', what: 'service app', at: ['a'] },
    { path: "/no/such 'path'", what: 'secret db', at: ['b'] },
  ],
};

/** Docker's answers: versions differ in the wording. */
const DOCKER = `#!/bin/sh
for name; do :; done
case "$1 $name" in
  *' there') echo '[]' ;;
  'network proxy') echo 'Error: No such network: proxy' >&2; exit 1 ;;
  'volume data') echo 'Error response from daemon: get data: no such volume' >&2; exit 1 ;;
  'inspect own') echo shop ;;
  'inspect taken') echo legacy ;;
  'inspect bare') echo ;;
  *) echo 'Cannot connect to the Docker daemon' >&2; exit 1 ;;
esac
`;

function run(needs: ComposeNeeds): string {
  const folder = mkdtempSync(join(tmpdir(), 'compose-needs-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'docker'), DOCKER);
  chmodSync(join(folder, 'docker'), 0o755);
  const script = needsCommand('shop', needs)?.script ?? '';
  return execFileSync('sh', ['-c', script], { encoding: 'utf8', env: { PATH: `${folder}:/usr/bin:/bin` } });
}

it('reports what is missing on the droplet, with the command that creates it', () => {
  expect(readMissingNeeds(run(NEEDS), NEEDS)).toEqual([
    {
      code: 'compose-network-missing',
      message: 'the external network proxy does not exist',
      fix: 'docker network create proxy',
      at: ['proxy'],
    },
    {
      code: 'compose-volume-missing',
      message: 'the external volume data does not exist',
      fix: 'docker volume create data',
      at: ['data'],
    },
    {
      code: 'container-name-taken',
      message: 'the container name taken of service the taken is taken by the compose project legacy',
      fix: 'docker rm -f taken',
      remedy: 'Or change container_name.',
      at: ['taken'],
    },
    {
      code: 'container-name-taken',
      message: 'the container name bare of service the bare is taken by another container',
      fix: 'docker rm -f bare',
      remedy: 'Or change container_name.',
      at: ['bare'],
    },
    {
      code: 'compose-path-missing',
      message: "secret db uses /no/such 'path', which does not exist",
      remedy: 'Create it on the droplet.',
      at: ['b'],
    },
  ]);
});

it('asks nothing of the droplet if the release needs nothing', () => {
  expect(needsCommand('shop', { networks: [], volumes: [], containers: [], paths: [] })).toBeUndefined();
});
