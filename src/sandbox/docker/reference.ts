import { DockerFailure } from './failure.js';

/** An image reference as Docker normalises it: `nginx` is docker.io/library/nginx:latest. */
export interface Reference {
  /** docker.io, registry.example.com:5000, … */
  domain: string;
  /** Domain and path: docker.io/library/nginx. */
  repository: string;
  /** Absent when a digest is given without a tag. */
  tag?: string;
  /** sha256:… */
  digest?: string;
}

const PATH = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

export function parseReference(text: string): Reference {
  const [named = '', digest, ...rest] = text.split('@');
  const colon = named.lastIndexOf(':');
  // A colon before the last slash belongs to the registry's port.
  const tagged = colon > named.lastIndexOf('/');
  const name = tagged ? named.slice(0, colon) : named;
  const tag = tagged ? named.slice(colon + 1) : digest === undefined ? 'latest' : undefined;

  const { domain, path } = splitDomain(name);
  const valid =
    rest.length === 0 &&
    PATH.test(path) &&
    (tag === undefined || TAG.test(tag)) &&
    (digest === undefined || DIGEST.test(digest));
  if (!valid) throw new DockerFailure(`invalid reference format: ${JSON.stringify(text)}`);

  return {
    domain,
    repository: `${domain}/${path}`,
    tag,
    digest,
  };
}

/** The short form in which Docker shows a repository: docker.io/library/nginx is nginx. */
export function familiarName(repository: string): string {
  return repository.replace(/^docker\.io\/(?:library\/)?/, '');
}

/** What `docker login` and config.json call a registry: docker.io has a name of its own there. */
export function credentialKey(domain: string): string {
  return domain === 'docker.io' ? 'https://index.docker.io/v1/' : domain;
}

export function domainOfServer(server: string): string {
  const host = server.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return host === 'index.docker.io' || host === 'registry-1.docker.io' || host === '' ? 'docker.io' : host;
}

function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isDomain = first === 'localhost' || first.includes('.') || first.includes(':');
  const domain = isDomain ? domainOfServer(first) : 'docker.io';
  const path = isDomain ? name.slice(slash + 1) : name;
  return { domain, path: domain === 'docker.io' && !path.includes('/') ? `library/${path}` : path };
}
