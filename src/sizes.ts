const MEGABYTE = 1024 * 1024;
const GIGABYTE = 1024 * MEGABYTE;

/** "312 MB", "1.4 GB": for people, as `df -h` counts. */
export function sizeText(bytes: number, round: 'up' | 'down' = 'down'): string {
  const rounded = round === 'up' ? Math.ceil : Math.floor;
  if (bytes < GIGABYTE) return `${rounded(bytes / MEGABYTE)} MB`;
  return `${rounded((bytes / GIGABYTE) * 10) / 10} GB`;
}
