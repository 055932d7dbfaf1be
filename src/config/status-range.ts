/** HTTP statuses as settings have them: `200`, or a range such as `200-399`. */

export const STATUS_RANGE = /^[1-5]\d\d(-[1-5]\d\d)?$/;

export function isUpwards(range: string): boolean {
  const [from = 0, to = from] = range.split('-').map(Number);
  return from <= to;
}

/** `200-399` of `399-200`, and `300-399` of `3xx`. */
export function rangeLike(written: string): string | undefined {
  if (STATUS_RANGE.test(written) && !isUpwards(written)) return written.split('-').reverse().join('-');
  const [, hundreds] = /^([1-5])xx$/i.exec(written) ?? [];
  return hundreds === undefined ? undefined : `${hundreds}00-${hundreds}99`;
}
