/**
 * Has compose on a droplet read the project as a deploy would send it, and asks the registry for its images, in one round
 * trip. The files go to a folder in memory where that is possible, which is gone when the command ends: afterwards the
 * droplet is as it was before.
 */
import type { RemoteCommand } from '../../ports.js';
import { BEGIN_SECTIONS, beginSection, readSections } from '../core/sections.js';
import { appFolder, command, quote, SECOND } from '../core/shell.js';
import { PARTIAL, variables } from '../release/compose-run.js';
import type { ReleaseDraft } from '../release/draft.js';
import { LOGIN_REFUSED, loginInput, loginVariables, type RegistryLogin } from '../staging/registry-login.js';
import { askedImages, BEGIN_MANIFESTS, FIND_LAYERS } from '../staging/room-command.js';
import { ASKED, askFor, composeConfig, linkShared } from '../staging/unpack-command.js';

export interface ProjectAnswer {
  /** What `docker compose config --format json` printed; absent if it failed. It holds secrets: never show it. */
  config?: string;
  /** What compose printed besides. */
  said: string;
  /** What `docker image inspect` printed of the images that the droplet has. */
  inspected: string;
  /** The registry refused the login, and said this. */
  loginRefused?: string;
  /** The registry was asked. */
  isAsked: boolean;
  /** The whole output, for what else reads it: room and manifests. */
  stdout: string;
}

export function projectCommand(
  draft: ReleaseDraft,
  archive: Buffer,
  {
    declared,
    images,
    login,
  }: { declared: readonly string[]; images: readonly string[]; login: RegistryLogin | undefined },
): RemoteCommand {
  const { app, id, shared = [] } = draft;
  const asked = askedImages(images);
  const secret = loginInput(login);
  return command(
    'read-project',
    { app, images: asked },
    [
      'set -u',
      'umask 077',
      secret === undefined ? undefined : 'IFS= read -r secret',
      `folder=$(mktemp -d /dev/shm/do-deploy-doctor.XXXXXX 2>/dev/null || mktemp -d "\${TMPDIR:-/tmp}/do-deploy-doctor.XXXXXX") || exit 1`,
      `trap 'rm -rf "$folder"' EXIT`,
      "trap 'exit 1' HUP INT TERM",
      `part=$folder/releases/${quote(id + PARTIAL)}`,
      'mkdir -p "$part" && tar --no-same-owner -xpzf - -C "$part" || exit 1',
      `ln -s ${appFolder(app)}/shared "$folder/shared"`,
      'cd "$part" || exit 1',
      ...linkShared(shared).map((line) => `${line} 2>/dev/null`),
      ...BEGIN_SECTIONS,
      declared.length === 0 ? undefined : `printf '%s\\n' ${quote(askFor(declared))} >${ASKED}`,
      beginSection('config'),
      `${composeConfig(draft, declared.length > 0)} 2>"$folder/said"`,
      'code=$?',
      beginSection('code'),
      'echo $code',
      beginSection('said'),
      `head -c ${MAX_SAID} "$folder/said"`,
      beginSection('inspected'),
      images.length === 0
        ? undefined
        : `docker image inspect ${images.slice(0, MAX_INSPECTED).map(quote).join(' ')} 2>/dev/null`,
      ...(asked.length === 0
        ? []
        : [
            `if grep -q '^  manifests)' scripts/start-up.sh; then`,
            '(',
            ...FIND_LAYERS,
            beginSection('machine'),
            `printf '%s\\n' "$info" | sed -n 3p`,
            beginSection('found'),
            `printf '%s\\n' "$found"`,
            ')',
            ...BEGIN_MANIFESTS,
            `${secret === undefined ? '' : `printf '%s\\n' "$secret" | `}${variables(draft, false)} ${loginVariables(login)}sh scripts/start-up.sh manifests ${asked.map(quote).join(' ')} 2>"$folder/refused"`,
            'code=$?',
            beginSection('asked'),
            'echo $code',
            beginSection('refused'),
            `head -c ${MAX_SAID} "$folder/refused"`,
            'fi',
          ]),
      'exit 0',
    ],
    {
      timeoutMs: 60 * SECOND,
      maxBytes: MAX_ANSWER_BYTES,
      stdin: secret === undefined ? archive : Buffer.concat([Buffer.from(secret), archive]),
      reads: true,
    },
  );
}

/** Of 12 manifests, 300 KB each; the project and its images are smaller. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** Images of one project that are looked at. */
const MAX_INSPECTED = 30;

/** In bytes. */
const MAX_SAID = 20_000;

export function readProject(stdout: string): ProjectAnswer {
  const sections = readSections(stdout);
  const text = (name: string) => sections.get(name) ?? '';
  const isRefused = text('asked') === String(LOGIN_REFUSED);
  return {
    ...(text('code') === '0' && { config: text('config') }),
    said: text('said'),
    inspected: text('inspected'),
    ...(isRefused && { loginRefused: text('refused') }),
    isAsked: text('asked') === '0',
    stdout,
  };
}
