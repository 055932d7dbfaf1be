/** The part of an image reference before its tag and digest: `ghcr.io/acme/shop` of `ghcr.io/acme/shop:v2@sha256:…`. */
export function repositoryOf(reference: string): string {
  return reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
}

/** As Docker shows the repository: `acme/shop` for docker.io/acme/shop, `nginx` for docker.io/library/nginx. */
export function shortName(repository: string): string {
  return repository.replace(/^docker\.io\/(library\/)?/, '');
}
