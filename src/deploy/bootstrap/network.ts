/** The networks of IPv4 that a droplet is in, as its kernel routes to them. */

/** A line that prints `network ADDRESS RANGE` for each: the droplet's own address in it, and its range. */
export const NETWORKS =
  "ip -4 route show scope link 2>/dev/null | sed -n 's/^\\([0-9./]*\\) .* src \\([0-9.]*\\).*$/network \\2 \\1/p'";

/**
 * The network that an address is in: `10.108.0.0/20`.
 * @param shown what `NETWORKS` printed: `10.108.0.5 10.108.0.0/20`
 */
export function networkOf(address: string | undefined, shown: readonly string[]): string | undefined {
  const ranges = shown.flatMap((line) => {
    const [, own, range = '', length] = /^([\d.]+) (\d+(?:\.\d+){3}\/(\d+))$/.exec(line) ?? [];
    // A shorter prefix than any private network's is a mistake.
    return own === address && Number(length) >= 8 && Number(length) <= 30 ? [range] : [];
  });
  return ranges[0];
}
