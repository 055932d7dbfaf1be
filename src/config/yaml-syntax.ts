/**
 * YAML text to a document, or the one problem that makes it unreadable. No problem quotes the text: a password without
 * quotes may begin with any of YAML's special characters.
 */
import { Composer, CST, type Document, Lexer, LineCounter, type ParsedNode, Parser, type YAMLError } from 'yaml';

/** More is a mistake, or meant to exhaust the stack of the parser. */
const MAX_DEPTH = 100;

export interface SyntaxProblem {
  line: number;
  message: string;
  remedy: string;
}

export interface ParsedYaml {
  document: Document.Parsed<ParsedNode>;
  lineAt(offset: number): number;
}

export function parseYaml(text: string): ParsedYaml | SyntaxProblem {
  const lines = new LineCounter();
  const lineAt = (offset: number) => Math.max(1, lines.linePos(offset).line);
  const tooDeep = offsetOfDepth(text);
  if (tooDeep !== undefined) return { line: text.slice(0, tooDeep).split('\n').length, ...TOO_DEEP };

  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const broken = tokens.find(({ type }) => type === 'error');
  if (broken !== undefined) return { line: lineAt(broken.offset), ...DESCRIPTIONS.UNEXPECTED_TOKEN };
  if (isDeeperThan(MAX_DEPTH, tokens)) return { line: 1, ...TOO_DEEP };

  // Repeated keys are looked for afterwards: here that takes quadratic time.
  const options = { prettyErrors: false, stringKeys: true, uniqueKeys: false, keepSourceTokens: false };
  const [document, second] = new Composer(options).compose(tokens, true, text.length);
  if (document === undefined) throw new Error('the parser returned no document');
  const [error] = document.errors;
  if (error !== undefined) return describe(error, document.errors, text, lineAt);
  if (second !== undefined) return { line: lineAt(second.range[0]), ...DESCRIPTIONS.MULTIPLE_DOCS };
  const [unknownTag] = document.warnings;
  if (unknownTag !== undefined) return { line: lineAt(unknownTag.pos[0]), ...DESCRIPTIONS.TAG_RESOLVE_FAILED };
  return { document, lineAt };
}

type Description = Omit<SyntaxProblem, 'line'>;

function invalid(message: string, remedy = 'fix the syntax (indentation, brackets, quotes)'): Description {
  return { message: `invalid YAML: ${message}`, remedy };
}

const TOO_DEEP = invalid('more than 100 levels of nesting', 'check the brackets and dashes there');
const COLON = invalid('wrong indentation, or a colon in a value', 'put quotes around a value that contains a colon');
const TAB = invalid('a tab in the indentation', 'indent with spaces');
const DESCRIPTIONS = {
  BAD_DQ_ESCAPE: invalid('an unknown escape in double quotes', 'write a backslash as \\\\, or use single quotes'),
  BAD_INDENT: invalid('wrong indentation, or a bracket that is not closed'),
  BAD_SCALAR_START: invalid('a value begins with a reserved character', 'put quotes around the value'),
  BLOCK_AS_IMPLICIT_KEY: COLON,
  MISSING_CHAR: invalid('a quote, a bracket or a colon is missing'),
  MULTILINE_IMPLICIT_KEY: COLON,
  MULTIPLE_DOCS: invalid('a second document begins', 'remove the --- and what follows'),
  NON_STRING_KEY: invalid('a key is not plain text', 'write a name before the colon'),
  TAB_AS_INDENT: TAB,
  TAG_RESOLVE_FAILED: invalid('an unknown tag', 'put quotes around a value that begins with an exclamation mark'),
  UNEXPECTED_TOKEN: invalid('unexpected text'),
} satisfies Record<string, Description>;

/** Of all errors only the first: the others mostly follow from it. */
function describe(
  error: YAMLError,
  errors: readonly YAMLError[],
  text: string,
  lineAt: (offset: number) => number,
): SyntaxProblem {
  const line = lineAt(error.pos[0]);
  // A tab has many other consequences than an error of its own.
  const last = errors.reduce((furthest, { pos }) => Math.max(furthest, lineAt(pos[1])), line);
  const tab = text.split('\n').findIndex((one, index) => index + 1 >= line && index <= last && /^ *\t\s*\S/.test(one));
  if (tab >= 0) return { line: tab + 1, ...TAB };
  return { line, ...(DESCRIPTIONS[error.code as keyof typeof DESCRIPTIONS] ?? invalid('wrong syntax')) };
}

/** Where brackets, or dashes and question marks of one line, nest too deeply: found before anything is built of them. */
function offsetOfDepth(text: string): number | undefined {
  let flow = 0;
  let block = 0;
  let offset = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (lexeme === '[' || lexeme === '{') flow += 1;
    else if (lexeme === ']' || lexeme === '}') flow = Math.max(0, flow - 1);
    else if (lexeme === '-' || lexeme === '?') block += 1;
    else if (lexeme.includes('\n')) block = 0;
    if (Math.max(flow, block) > MAX_DEPTH) return offset;
    if (!isMark(lexeme)) offset += lexeme.length;
  }
  return undefined;
}

/** Lexemes that stand for no text. */
function isMark(lexeme: string): boolean {
  return lexeme === CST.DOCUMENT || lexeme === CST.FLOW_END || lexeme === CST.SCALAR;
}

function isDeeperThan(most: number, tokens: readonly CST.Token[]): boolean {
  const pending: [token: CST.Token | null | undefined, depth: number][] = tokens.map((token) => [token, 0]);
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [token, depth] = next;
    if (depth > most) return true;
    if (token?.type === 'document') pending.push([token.value, depth]);
    else if (token && 'items' in token) {
      for (const { key, value } of token.items) pending.push([key, depth + 1], [value, depth + 1]);
    }
  }
  return false;
}
