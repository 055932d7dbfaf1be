/** What a push to a repository deploys. Pure. */
import { shortHash } from './commit.js';

/** A line that git gives its hooks: what a ref was, and what it is now. */
export interface PushedRef {
  before: string;
  after: string;
  /** refs/heads/main */
  ref: string;
}

export interface PushRules {
  /** Pushes to this branch deploy. */
  branch: string;
  /** So do tags of this pattern, in which `*` is any text. */
  tags: string;
  environment: string;
}

export interface PushedDeploy {
  ref: string;
  commit: string;
  /** Of a tag: its name, which is the release. */
  tag?: string;
}

export interface PushDecision {
  deploy?: PushedDeploy;
  /** For the pusher: why the others deploy nothing. */
  lines: string[];
}

/** More refs than a person pushes on purpose. */
const MAX_NAMED = 10;

const BRANCH = 'refs/heads/';
const TAG = 'refs/tags/';

/** What git writes to a hook's standard input. Other lines are left out. */
export function readPushedRefs(text: string): PushedRef[] {
  const lines = text.matchAll(/^([0-9a-f]{40,64}) ([0-9a-f]{40,64}) (refs\/[^\s\p{Cc}]+)$/gmu);
  return [...lines].map(([, before = '', after = '', ref = '']) => ({ before, after, ref }));
}

/** At most one deploy for each push: of a tag, if there is one, which names the release; otherwise of the branch. */
export function decidePush(pushed: readonly PushedRef[], rules: PushRules): PushDecision {
  const there = pushed.filter(({ after }) => !isZero(after));
  const tags = there.filter(({ ref }) => ref.startsWith(TAG) && matches(ref.slice(TAG.length), rules.tags));
  const branch = there.find(({ ref }) => ref === `${BRANCH}${rules.branch}`);
  const [tag, ...others] = tags;
  // Of several, such as those of `git push --tags`, none says that it is to be deployed.
  const chosen = others.length > 0 ? undefined : (tag ?? branch);
  const several =
    others.length > 0 ? [`Several tags were pushed, and none is deployed. Push the one to deploy alone.`] : [];
  const rest = pushed.filter((one) => one !== chosen && !(others.length > 0 && tags.includes(one)));
  const lines = [...several, ...rest.slice(0, MAX_NAMED).map((one) => sentence(one, chosen, rules))];
  if (rest.length > MAX_NAMED) lines.push(`${rest.length - MAX_NAMED} more refs deploy nothing.`);
  if (chosen === undefined && pushed.length > 0) lines.push(whatDeploys(rules));
  if (chosen === undefined) return { lines };
  const { ref, after: commit } = chosen;
  return { deploy: { ref, commit, ...(chosen === tag && { tag: ref.slice(TAG.length) }) }, lines };
}

/** "A push to main, or of a tag like v*, is deployed to production." */
export function whatDeploys({ branch, tags, environment }: PushRules): string {
  const also = tags === '' ? '' : `, or of a tag like ${tags},`;
  return `A push to ${branch}${also} is deployed to ${environment}.`;
}

/** "main" of refs/heads/main */
export function nameOfRef(ref: string): string {
  return ref.replace(/^refs\/(?:heads|tags)\//, '');
}

function sentence({ ref, after }: PushedRef, chosen: PushedRef | undefined, { branch }: PushRules): string {
  const name = nameOfRef(ref);
  if (isZero(after)) return `${name} was removed: nothing is deployed.`;
  if (chosen !== undefined && ref === `${BRANCH}${branch}`)
    return `${name} is stored at ${shortHash(after)}; the tag ${nameOfRef(chosen.ref)} is what is deployed.`;
  return `${name} is stored at ${shortHash(after)}, and deploys nothing.`;
}

function isZero(hash: string): boolean {
  return /^0+$/.test(hash);
}

function matches(name: string, pattern: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return name === pattern;
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest.slice(0, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  const last = rest.at(-1) ?? '';
  return name.length - last.length >= at && name.endsWith(last);
}
