/** Files that do-deploy writes on droplets. */
import { quote } from '../core/shell.js';

/** Whether do-deploy wrote the file: it says so in its first two lines. */
export function isOwn(content: string): boolean {
  return content.split('\n', 2).some((line) => line.includes('Written by do-deploy bootstrap'));
}

/** Lines that write a file, complete or not at all. The temporary name has a dot: sudo and others do not read it. */
export function writeLines(path: string, content: string, mode: string): string[] {
  const fresh = quote(`${path}.new`);
  const folder = quote(path.slice(0, path.lastIndexOf('/')));
  return [
    `mkdir -p ${folder}`,
    `printf %s ${quote(content)} >${fresh}`,
    `chmod ${mode} ${fresh}`,
    `mv -f ${fresh} ${quote(path)}`,
  ];
}
