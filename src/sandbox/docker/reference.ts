import { DockerFailure } from './failure.js';

/** An image reference in Docker's normal form: `nginx` is docker.io/library/nginx:latest. */
export interface Reference {
  /** docker.io, registry.example.com:5000, … */
  domain: string;
  /** Domain and path: docker.io/library/nginx. */
  repository: string;
  /** Absent if there is a digest and no tag. */
  tag?: string;
  /** sha256:… */
  digest?: string;
}

const REFERENCE =
  /^(?<name>(?:[\w.-]+(?::\d+)?\/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::(?<tag>\w[\w.-]{0,127}))?(?:@(?<digest>sha256:[0-9a-f]{64}))?$/;

export function parseReference(text: string): Reference {
  const { name, tag, digest } = REFERENCE.exec(text)?.groups ?? {};
  if (name === undefined) throw new DockerFailure(`invalid reference format: ${JSON.stringify(text)}`);
  const [, first = '', rest = ''] = /^([^/]*)\/(.*)$/.exec(name) ?? [];
  const hasDomain = /[.:]|^localhost$/.test(first);
  const domain = hasDomain ? domainOfServer(first) : 'docker.io';
  const path = hasDomain ? rest : name;
  const repository = `${domain}/${domain === 'docker.io' && !path.includes('/') ? 'library/' : ''}${path}`;
  return { domain, repository, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

/** The short form of a repository that Docker shows: docker.io/library/nginx is nginx. */
export function familiarName(repository: string): string {
  return repository.replace(/^docker\.io\/(?:library\/)?/, '');
}

/** A registry's key in config.json. */
export function credentialKey(domain: string): string {
  return domain === 'docker.io' ? 'https://index.docker.io/v1/' : domain;
}

export function domainOfServer(server: string): string {
  const host = server.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return host === 'index.docker.io' || host === 'registry-1.docker.io' || host === '' ? 'docker.io' : host;
}
