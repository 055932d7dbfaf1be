/** Answers that come in pieces: the result must not depend on where they are cut. */
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { FramedStream } from '../../../src/adapters/ssh/frame.js';
import { requestHealth } from '../../../src/adapters/ssh/health-request.js';
import type { Link } from '../../../src/adapters/ssh/link.js';
import { LogReader } from '../../../src/deploy/operate/logs/log-reader.js';
import { expectThat, target } from '../target.js';
import { isSafeLine } from '../unsafe.js';
import { hostileWord, longText, spoiled } from '../words.js';

const START = 'do-deploy:00ff\n';
const END = 'do-deploy:00ff:end';

const cuts = fc.array(fc.nat(400), { maxLength: 40 });

/** The bytes in pieces of these lengths, over and over; of one byte without lengths. */
function piecesOf(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const length =
      lengths.length === 0
        ? Math.ceil(bytes.length / 2_000)
        : (lengths[turn % lengths.length] ?? 0) + (turn % 7 === 0 ? 1 : 0);
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

function unframed(pieces: readonly Buffer[], end: string) {
  const stream = new FramedStream(START, end);
  const output = Buffer.concat(pieces.map((piece) => Buffer.from(stream.take(piece)))).toString('latin1');
  return { output, whole: stream.whole, started: stream.started, banner: stream.banner.toString('latin1') };
}

const framed = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        spoiled(fc.constantFrom('Welcome\n', '', START.slice(0, -2))),
        fc.oneof(hostileWord, longText),
        fc.constantFrom('', 'x', END, START),
      )
      .map(([banner, output, after]) => `${banner}${START}${output}${END}${after}`),
  },
  { weight: 1, arbitrary: spoiled(fc.constant(`a${START}b${END}`), [START, END, START.slice(0, 8), END.slice(0, 16)]) },
);

const STAMPED = [1, 2, 2, 3].map((second) => `2026-11-21T07:45:0${second}.000000000Z line ${second}\n`).join('');

function logged(pieces: readonly Buffer[], readings = 1) {
  const reader = new LogReader();
  const aside: string[] = [];
  const keep = (text: string) => void aside.push(text);
  const lines = Array.from({ length: readings }, () => {
    reader.restart();
    return [...pieces.flatMap((piece) => reader.read(piece, keep)), ...reader.end(keep)];
  });
  return { lines: lines.flat(), aside };
}

export const logs = target({
  name: 'logs',
  runs: 150,
  inputs: fc.tuple(
    spoiled(fc.constant(STAMPED), [
      '2026-11-21T99:99:99+01:00 ',
      '\n',
      '9999-12-31T23:59:59-23:59 ',
      'x'.repeat(20_000),
    ]),
    cuts,
  ),
  check([text, lengths]) {
    const bytes = Buffer.from(text);
    const once = logged([bytes]);
    const cut = logged(piecesOf(bytes, lengths));
    expectThat(JSON.stringify(cut) === JSON.stringify(once), 'the lines depend on where the log is cut');
    for (const { time, text: shown } of once.lines) {
      expectThat(/^[+\d-]\d{3}.{15}\.\d{9}Z$/.test(time), `a time is ${time}`);
      expectThat(!shown.includes('\n') && shown.length <= 70_000, 'a line is no line');
    }
    const times = once.lines.map(({ time }) => time);
    const areSorted = times.every((time, index) => time >= (times[index - 1] ?? ''));
    if (areSorted) expectThat(logged([bytes], 3).lines.length === times.length, 'a line is repeated');
  },
});

export const frames = target({
  name: 'frames',
  runs: 150,
  inputs: fc.tuple(framed, cuts, fc.constantFrom(END, '')),
  check([text, lengths, end]) {
    const bytes = Buffer.from(text);
    const once = unframed([bytes], end);
    const cut = unframed(piecesOf(bytes, lengths), end);
    expectThat(JSON.stringify(cut) === JSON.stringify(once), 'the result depends on where it is cut');
    const written = bytes.toString('latin1');
    const at = written.indexOf(START);
    expectThat(once.started === at >= 0, `it has started: ${once.started}`);
    if (at < 0) return;
    const rest = written.slice(at + START.length);
    expectThat(once.whole === rest.endsWith(end), `it is whole: ${once.whole}`);
    if (once.whole)
      expectThat(once.output === rest.slice(0, rest.length - end.length), 'the output is not what was printed');
  },
});

const HTTP = [
  'HTTP/1.1 200 OK\r\nA: b\r\n\r\nx',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 No\r\n\r\n',
  'HTTP/1.0 503 no\n\n',
];
const HTTP_WORDS = [
  'HTTP/1.1 100 x\r\n',
  'HTTP/1.1 199 x\r\n\r\n',
  'HTTP/1.1 200',
  'HTTP/2 200\n',
  'HTTP/9.9 999 x\n',
  '\r\n\r\n',
  '\n',
  '\r',
  'HTTP/1.1 ',
];

/** A link whose only connection gives this answer. */
function linkOf(pieces: readonly Buffer[]): Link {
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const answer = () => {
    for (const piece of pieces) stream.push(piece);
    stream.push(null);
  };
  const forwardOut = async () => {
    setImmediate(answer);
    return stream;
  };
  return { ssh: { forwardOut }, lostBecause: undefined, onLost: () => () => {} } as unknown as Link;
}

const request = {
  protocol: 'http',
  address: '203.0.113.5',
  port: 80,
  path: '/',
  proxyProtocol: false,
  timeoutMs: 60_000,
} as const;
const clock = { now: () => 0, sleep: () => new Promise<void>(() => {}) };

async function health(pieces: readonly Buffer[]) {
  const run = async () => ({ code: 1, stdout: '', stderr: '' });
  return await requestHealth(linkOf(pieces), { id: 1, name: 'web-1', address: '203.0.113.5' }, request, clock, run);
}

export const healthAnswers = target({
  name: 'health-answers',
  runs: 250,
  inputs: fc.tuple(
    fc.oneof(
      { weight: 8, arbitrary: spoiled(fc.constantFrom(...HTTP), HTTP_WORDS) },
      {
        weight: 1,
        arbitrary: fc.tuple(fc.constantFrom(...HTTP_WORDS, ...HTTP), longText).map((parts) => parts.join('')),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom(...HTTP_WORDS).map((word) => `HTTP/1.1 100 x\r\n${word.repeat(10_000)}`),
      },
    ),
    cuts,
  ),
  async check([text, lengths]) {
    const bytes = Buffer.from(text, 'latin1');
    const once = await health([bytes]);
    const cut = await health(piecesOf(bytes, lengths));
    expectThat(
      JSON.stringify(cut) === JSON.stringify(once),
      `cut: ${JSON.stringify(cut)}, whole: ${JSON.stringify(once)}`,
    );
    expectThat(once.detail.length < 400 && isSafeLine(once.detail), `the detail is ${JSON.stringify(once.detail)}`);
  },
});
