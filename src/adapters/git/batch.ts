/** What `git cat-file --batch` answers: for each object `HASH TYPE SIZE`, a line feed, that many bytes, a line feed. */
import { DeployError } from '../../errors.js';

const LINE_FEED = 0x0a;

/** @throws DeployError `git-failed` when an object is missing, as in a partial clone, or is no blob */
export function readBatch(output: Buffer, count: number): Buffer[] {
  const contents: Buffer[] = [];
  let offset = 0;
  while (contents.length < count) {
    const end = output.indexOf(LINE_FEED, offset);
    const header = end === -1 ? '' : output.toString('utf8', offset, end);
    const [object, type, size] = header.split(' ');
    if (type !== 'blob') {
      throw new DeployError('git-failed', `git does not have the file ${object || 'that was asked for'}.`, {
        source: 'user',
        hint: 'git fetch brings what a partial clone lacks; git fsck tells what is broken.',
      });
    }
    const start = end + 1;
    offset = start + Number(size) + 1;
    contents.push(output.subarray(start, offset - 1));
  }
  return contents;
}
