/** Reads the parts of a Markdown file that tests compare. */
import { readFileSync } from 'node:fs';

export function readRoot(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

export interface Block {
  language: string;
  /** NAME of a preceding `<!-- block: NAME -->`. */
  name?: string;
  /** Without the indentation of a surrounding list. */
  code: string;
}

export function codeBlocks(markdown: string): Block[] {
  const blocks = markdown.matchAll(/(?:<!-- block: (\w+) -->\n)?^( *)```(\w+)\n([\s\S]*?)^\2```$/gm);
  return [...blocks].map(([, name, indent = '', language = '', code = '']) => ({
    language,
    code: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    name,
  }));
}

/** The texts in backticks in the first column of every table. */
export function firstColumns(markdown: string): string[] {
  const cells = [...markdown.matchAll(/^\| (.*?) \| /gm)].map(([, cell = '']) => cell);
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code));
}

export function section(markdown: string, heading: string): string {
  const [, rest = ''] = markdown.split(`\n## ${heading}\n`);
  const [text = ''] = rest.split('\n## ');
  if (text === '') throw new Error(`no section "${heading}"`);
  return text;
}
