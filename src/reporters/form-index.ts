/**
 * Finds many forms of secrets in a text in one pass. What a position costs does not depend on how many forms there are:
 * its next few characters are looked up by their hash, and whatever begins or ends like that is compared by hash as well.
 */

/** Numbers of the bitmap that says of most hashes that no form has them. */
const BITMAP = 1 << 16;
const BASE = 0x01000193;

/** A text with the hashes of its beginnings, so that the hash of any part of it takes one step. */
export class HashedText {
  readonly text: string;
  readonly #hashes: Int32Array;

  constructor(text: string) {
    this.text = text;
    this.#hashes = new Int32Array(text.length + 1);
    let hash = 0;
    for (let index = 0; index < text.length; index += 1) {
      hash = (Math.imul(hash, BASE) + text.charCodeAt(index) + 1) | 0;
      this.#hashes[index + 1] = hash;
    }
  }

  get length(): number {
    return this.text.length;
  }

  hash(start: number, end: number): number {
    return ((this.#hashes[end] ?? 0) - Math.imul(this.#hashes[start] ?? 0, powerOf(end - start))) | 0;
  }
}

const powers: number[] = [1];

function powerOf(exponent: number): number {
  for (let known = powers.length; known <= exponent; known += 1) powers.push(Math.imul(powers[known - 1] ?? 1, BASE));
  return powers[exponent] ?? 1;
}

function hashOf(text: string, start = 0, end = text.length): number {
  let hash = 0;
  for (let index = start; index < end; index += 1) hash = (Math.imul(hash, BASE) + text.charCodeAt(index) + 1) | 0;
  return hash;
}

/** Values by a hash; of most hashes without a value, the bitmap knows it. */
class ByHash<Value> {
  readonly #bitmap = new Uint8Array(BITMAP);
  readonly #values = new Map<number, Value>();

  get(hash: number): Value | undefined {
    return this.#bitmap[slotOf(hash)] === 1 ? this.#values.get(hash) : undefined;
  }

  getOrAdd(hash: number, create: () => Value): Value {
    const known = this.#values.get(hash);
    if (known !== undefined) return known;
    const value = create();
    this.#values.set(hash, value);
    this.#bitmap[slotOf(hash)] = 1;
    return value;
  }
}

function slotOf(hash: number): number {
  return (hash ^ (hash >>> 16)) & (BITMAP - 1);
}

export type Found = (start: number, end: number) => void;

/** How many forms were compared with a text: for tests. */
export interface Work {
  comparisons: number;
}

/** Whole forms in a text. */
export class FormIndex {
  /** By how many characters decide: forms are at least as long. */
  readonly #anchors: readonly { size: number; forms: ByHash<Map<number, Map<number, string[]>>> }[];
  readonly work: Work = { comparisons: 0 };

  /** @param sizes ascending; no form is shorter than the first */
  constructor(forms: Iterable<string>, sizes: readonly number[]) {
    this.#anchors = sizes.map((size) => ({ size, forms: new ByHash() }));
    for (const form of forms) {
      const anchor = this.#anchors.findLast(({ size }) => form.length >= size);
      const byLength = anchor?.forms.getOrAdd(hashOf(form, 0, anchor.size), () => new Map());
      if (byLength === undefined) continue;
      const byHash = byLength.get(form.length) ?? new Map<number, string[]>();
      byLength.set(form.length, byHash);
      const hash = hashOf(form);
      byHash.set(hash, [...(byHash.get(hash) ?? []), form]);
    }
  }

  /** Each form as often as it stands there without overlapping itself. */
  find(view: HashedText, found: Found): void {
    const { text } = view;
    const free = new Map<string, number>();
    for (const { size, forms } of this.#anchors) {
      for (let at = 0; at + size <= text.length; at += 1) {
        const byLength = forms.get(view.hash(at, at + size));
        if (byLength === undefined) continue;
        for (const [length, byHash] of byLength) {
          this.work.comparisons += 1;
          if (at + length > text.length) continue;
          for (const form of byHash.get(view.hash(at, at + length)) ?? []) {
            if ((free.get(form) ?? 0) > at || !text.startsWith(form, at)) continue;
            free.set(form, at + length);
            found(at, at + length);
          }
        }
      }
    }
  }
}

interface CutForm {
  form: string;
  /** Made when it is first needed: of most forms nothing is ever shown. */
  hashed?: HashedText;
}

function hashed(one: CutForm): HashedText {
  one.hashed ??= new HashedText(one.form);
  return one.hashed;
}

/** Forms of which a text ends with the beginning, or begins with the end. */
export class CutIndex {
  readonly #shortest: number;
  readonly #beginnings = new ByHash<CutForm[]>();
  readonly #ends = new ByHash<CutForm[]>();
  #longest = 0;
  readonly work: Work = { comparisons: 0 };

  /** @param shortest in characters: shorter pieces are not looked for */
  constructor(forms: Iterable<string>, shortest: number) {
    this.#shortest = shortest;
    for (const form of forms) {
      if (form.length < shortest) continue;
      const one: CutForm = { form };
      this.#longest = Math.max(this.#longest, form.length);
      this.#beginnings.getOrAdd(hashOf(form, 0, shortest), () => []).push(one);
      this.#ends.getOrAdd(hashOf(form, form.length - shortest), () => []).push(one);
    }
  }

  /** How long the longest beginning of a form is that the text ends with at `end`; 0: none. */
  atEnd(view: HashedText, end: number, accepts: (piece: string) => boolean = () => true): number {
    for (let at = Math.max(0, end - this.#longest); at + this.#shortest <= end; at += 1) {
      const size = end - at;
      const isBeginning = (one: CutForm) => {
        this.work.comparisons += 1;
        const { form } = one;
        return (
          form.length > size &&
          hashed(one).hash(0, size) === view.hash(at, end) &&
          view.text.startsWith(form.slice(0, size), at)
        );
      };
      const forms = this.#beginnings.get(view.hash(at, at + this.#shortest));
      if (forms?.some(isBeginning) && accepts(view.text.slice(at, end))) return size;
    }
    return 0;
  }

  /** How long the longest end of a form is that the text goes on with at `start`; 0: none. */
  atStart(view: HashedText, start: number, accepts: (piece: string) => boolean = () => true): number {
    for (let end = Math.min(view.length, start + this.#longest); end - this.#shortest >= start; end -= 1) {
      const size = end - start;
      const isEnd = (one: CutForm) => {
        this.work.comparisons += 1;
        const { form } = one;
        const from = form.length - size;
        return (
          from > 0 &&
          hashed(one).hash(from, form.length) === view.hash(start, end) &&
          view.text.startsWith(form.slice(from), start)
        );
      };
      const forms = this.#ends.get(view.hash(end - this.#shortest, end));
      if (forms?.some(isEnd) && accepts(view.text.slice(start, end))) return size;
    }
    return 0;
  }
}

/** Which texts are a part of a form. */
export class PartIndex {
  readonly #size: number;
  readonly #forms: readonly string[];
  readonly #grams: Uint8Array;
  readonly work: Work = { comparisons: 0 };

  /** @param size a text is at least so long, in characters */
  constructor(forms: readonly string[], size: number) {
    this.#size = size;
    this.#forms = forms.filter((form) => form.length >= size);
    const total = this.#forms.reduce((sum, form) => sum + form.length, 0);
    // At most one in 16 is set.
    this.#grams = new Uint8Array(2 ** Math.ceil(Math.log2(Math.max(64, total * 2))));
    for (const form of this.#forms) this.#gramsOf(form, (hash) => this.#set(hash));
  }

  has(text: string): boolean {
    if (text.length < this.#size) return false;
    if (!this.#gramsOf(text, (hash) => this.#isSet(hash))) return false;
    // It almost certainly is one.
    return this.#forms.some((form) => {
      this.work.comparisons += 1;
      return form.includes(text);
    });
  }

  /** Whether all parts of this size pass. */
  #gramsOf(text: string, passes: (hash: number) => boolean): boolean {
    const first = powerOf(this.#size);
    let hash = 0;
    for (let index = 0; index < text.length; index += 1) {
      hash = (Math.imul(hash, BASE) + text.charCodeAt(index) + 1) | 0;
      if (index >= this.#size) hash = (hash - Math.imul(text.charCodeAt(index - this.#size) + 1, first)) | 0;
      if (index >= this.#size - 1 && !passes(hash)) return false;
    }
    return true;
  }

  #set(hash: number): true {
    const bit = this.#bitOf(hash);
    this.#grams[bit >>> 3] = (this.#grams[bit >>> 3] ?? 0) | (1 << (bit & 7));
    return true;
  }

  #isSet(hash: number): boolean {
    const bit = this.#bitOf(hash);
    return ((this.#grams[bit >>> 3] ?? 0) & (1 << (bit & 7))) !== 0;
  }

  #bitOf(hash: number): number {
    return ((hash ^ (hash >>> 15)) >>> 0) % (this.#grams.length * 8);
  }
}
