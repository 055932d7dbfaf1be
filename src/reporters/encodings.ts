/** A secret as programs encode bytes: base64, base32 and hexadecimal, also inside a longer text. */

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export function encodingsOf(secret: string): string[] {
  const hex = Buffer.from(secret).toString('hex');
  return [
    ...pieces(secret, 6, (bytes) => bytes.toString('base64')).flatMap((piece) => [
      piece,
      piece.replaceAll('+', '-').replaceAll('/', '_'),
    ]),
    ...pieces(secret, 5, base32),
    hex,
    hex.toUpperCase(),
  ];
}

/**
 * The parts of its encoding that stay the same inside a longer text, as the password does in "user:password", for each
 * position in a group of bytes; characters that also hold bits of a neighbour are left out.
 * @param bits in a character of the encoding
 */
function pieces(secret: string, bits: 5 | 6, encode: (bytes: Buffer) => string): string[] {
  return Array.from({ length: bits === 6 ? 3 : 5 }, (_, offset) => {
    const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)]);
    return encode(bytes).slice(Math.ceil((offset * 8) / bits), Math.floor((bytes.length * 8) / bits));
  });
}

/** RFC 4648, without padding. */
function base32(bytes: Buffer): string {
  let text = '';
  let value = 0;
  let held = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    for (held += 8; held >= 5; held -= 5) text += BASE32.charAt((value >> (held - 5)) & 31);
  }
  return held === 0 ? text : text + BASE32.charAt((value << (5 - held)) & 31);
}
