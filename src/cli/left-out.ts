/** The value of an option that may be given without one: `--canary`, which is not `--canary=`. */
export const LEFT_OUT = '\u0000';
