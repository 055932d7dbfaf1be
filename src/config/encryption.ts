/**
 * How a file is encrypted, if it is: then it is useless as it stands.
 * @param options.byText also by words in it, which in a file other than an env file may be innocent; default true
 */
export function encryptionOf(
  content: Buffer,
  options: { byText: boolean } = { byText: true },
): { by: string; remedy: (path: string) => string } | undefined {
  if (content.subarray(0, 9).equals(Buffer.from('\0GITCRYPT'))) {
    return { by: 'git-crypt', remedy: () => 'git-crypt unlock' };
  }
  if (options.byText && /^sops_version=/m.test(content.toString('utf8'))) {
    return { by: 'SOPS', remedy: (path) => `sops decrypt --in-place ${path}` };
  }
  return undefined;
}
