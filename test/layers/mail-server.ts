/** Mail servers on this machine, and what they receive. */
import { createServer, type Socket } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { onTestFinished } from 'vitest';

export interface Mail {
  from: string;
  to: string[];
  user?: string;
  secure: boolean;
  headers: Record<string, string>;
  text: string;
}

export const USERS = { from: 'Deploys <deploys@example.com>', to: ['ops@example.com', 'Ann Lee <ann@example.com>'] };

/** A mail server on this machine, gone after the test. */
export async function aMailServer(options: SMTPServerOptions = {}) {
  const mails: Mail[] = [];
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    authOptional: true,
    onAuth: ({ username, password }, _session, done) => {
      if (password === 'p:@ss word') done(null, { user: username });
      else done(new Error(`Invalid login of ${username} with ${password}`));
    },
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          user: session.user as string | undefined,
          secure: session.secure,
          ...parsed(Buffer.concat(chunks).toString()),
        });
        done();
      });
    },
    ...options,
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.server.address() as { port: number };
  return { port, mails, smtp: `smtp://127.0.0.1:${port}` };
}

/** The headers, unfolded, and the text, decoded. */
function parsed(message: string): Pick<Mail, 'headers' | 'text'> {
  const [head = '', ...rest] = message.split('\r\n\r\n');
  const lines = head.replace(/\r\n[ \t]+/g, ' ').split('\r\n');
  const headers = Object.fromEntries(
    lines.map((one) => [one.slice(0, one.indexOf(':')).toLowerCase(), one.slice(one.indexOf(':') + 2)]),
  );
  const body = rest.join('\r\n\r\n');
  const quoted = headers['content-transfer-encoding'] === 'quoted-printable';
  const bytes = quoted
    ? Buffer.from(
        body
          .replace(/=\r\n/g, '')
          .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
        'latin1',
      )
    : Buffer.from(body, headers['content-transfer-encoding'] === 'base64' ? 'base64' : 'utf8');
  return { headers, text: bytes.toString('utf8').replaceAll('\r\n', '\n') };
}

/** Fails without a mail server's help: what is on the wire is the test's own. */
export async function aSocketServer(serve: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as { port: number }).port;
}
