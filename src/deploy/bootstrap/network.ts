/** IPv4 networks, as `ip addr` shows them. */

/**
 * The network that an address is in: `10.108.0.0/20`.
 * @param shown the droplet's addresses with the length of their prefix: `10.108.0.2/20`
 */
export function networkOf(address: string | undefined, shown: readonly string[]): string | undefined {
  const found = shown
    .map((one) => /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(one))
    .find((match) => match?.[0]?.startsWith(`${address}/`));
  if (!found) return undefined;
  const [a = 0, b = 0, c = 0, d = 0, length = 0] = found.slice(1).map(Number);
  // A network of one address is none; a shorter prefix than any private network's is a mistake.
  if (length < 8 || length > 30) return undefined;
  const mask = (0xffffffff << (32 - length)) >>> 0;
  const network = (((a << 24) | (b << 16) | (c << 8) | d) & mask) >>> 0;
  return `${[24, 16, 8, 0].map((shift) => (network >>> shift) & 255).join('.')}/${length}`;
}
