/** Reads the parts of a Markdown file that are held to the truth. */
import { readFileSync } from 'node:fs';

export function readRoot(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

export interface Block {
  language: string;
  /** What `<!-- block: NAME -->` before it says. */
  name?: string;
  /** Without the indent of a list it may stand in. */
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

/** The first column of every table, with what stands in backticks there. */
export function firstColumns(markdown: string): string[] {
  const cells = [...markdown.matchAll(/^\| (.*?) \| /gm)].map(([, cell = '']) => cell);
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code));
}

export function section(markdown: string, heading: string): string {
  const [, rest = ''] = markdown.split(`\n## ${heading}\n`);
  const [text = ''] = rest.split('\n## ');
  if (text === '') throw new Error(`there is no section "${heading}"`);
  return text;
}
