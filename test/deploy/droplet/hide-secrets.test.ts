/** Secrets that an earlier deploy put on a droplet are masked in runs that do not know them. */
import { expect, it } from 'vitest';
import { SECRETS_FILE as CONFIGURED } from '../../../src/config/file-names.js';
import { hideSecretsOn, SECRETS_FILE } from '../../../src/deploy/droplet/hide-secrets.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import type { RemoteCommand } from '../../../src/ports.js';

function droplet(...envFiles: string[][]): { member: Member; asked: RemoteCommand[] } {
  const asked: RemoteCommand[] = [];
  const releases = envFiles.map((files, index) => ({ id: `r${index}`, envFiles: files }));
  const run = async (command: RemoteCommand) => {
    asked.push(command);
    return { code: 0, stdout: "KEY='value'\n", stderr: '' };
  };
  return { member: { survey: { releases }, connection: { run } } as unknown as Member, asked };
}

it('the file is the one that the settings name', () => {
  expect(SECRETS_FILE).toBe(CONFIGURED);
});

it('the files of all releases that have one are read, in one command', async () => {
  const { member, asked } = droplet([SECRETS_FILE], ['config/.env'], ['config/.env', SECRETS_FILE]);
  const hidden: string[] = [];
  await hideSecretsOn({ hide: (text) => void hidden.push(text) }, 'shop', member);
  expect(hidden).toEqual(["KEY='value'\n"]);
  expect(asked.map(({ script }) => script)).toEqual([
    expect.stringContaining('cat r0/.variables/secrets.env r2/.variables/secrets.env 2>/dev/null | LC_ALL=C sort -u'),
  ]);
});

it('nothing is read where no release has one', async () => {
  const { member, asked } = droplet(['config/.env']);
  await hideSecretsOn({ hide: () => {} }, 'shop', member);
  expect(asked).toEqual([]);
});
