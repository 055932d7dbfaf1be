import * as colors from 'kleur/colors';

type Paint = (text: string) => string;

/** The colours of the reporters, by meaning. */
export interface Palette {
  good: Paint;
  bad: Paint;
  caution: Paint;
  active: Paint;
  faint: Paint;
  strong: Paint;
  /** To tell names apart, one after the other. */
  names: readonly [Paint, ...Paint[]];
}

const plain: Paint = (text) => text;

/** The caller decides whether to colour; kleur's own detection is switched off. */
export function createPalette(color: boolean): Palette {
  if (!color)
    return { good: plain, bad: plain, caution: plain, active: plain, faint: plain, strong: plain, names: [plain] };
  colors.$.enabled = true;
  return {
    good: colors.green,
    bad: colors.red,
    caution: colors.yellow,
    active: colors.cyan,
    faint: colors.dim,
    strong: colors.bold,
    names: [colors.cyan, colors.yellow, colors.green, colors.magenta, colors.blue, colors.red],
  };
}
