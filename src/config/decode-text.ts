import { isUtf8 } from 'node:buffer';

export interface TextFault {
  /** From 1. */
  line: number;
  message: string;
  remedy: string;
}

/** The text of a file, without a byte order mark; a fault where it is not UTF-8. */
export function decodeText(content: Buffer): string | TextFault {
  const isUtf16 = content.length >= 2 && [0xfeff, 0xfffe].includes(content.readUInt16BE(0));
  if (isUtf16) return { line: 1, message: 'the file is UTF-16', remedy: 'save it as UTF-8' };
  const text = content.toString('utf8').replace(/^\ufeff/, '');
  const broken = isUtf8(content) ? text.indexOf('\0') : text.indexOf('\ufffd');
  if (broken < 0) return text;
  const line = text.slice(0, broken).split('\n').length;
  return { line, message: 'the file is not UTF-8 text', remedy: 'save it as UTF-8' };
}
