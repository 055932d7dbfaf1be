/** "2026-11-21 07:45:00 UTC", of a time in ISO 8601 and UTC; other text as it is, because it may come from a droplet. */
export function utcTime(iso: string): string {
  return iso.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/, '$1 $2 UTC');
}
