import type { IncomingMessage } from 'node:http';
import { buildImage, type ContainerProcess, type Image, type Program } from '../image.js';

/** The app's port inside its container. */
const PORT = 3000;

/** Whether a version of the shop works after running for `ageMs`. */
type Fitness = (ageMs: number) => boolean;

/**
 * The example shop: `/` answers with the version, `/healthz` with its health, `/slow?ms=5000` after a delay,
 * `/env?name=APP_NAME` with a variable. A broken shop answers 503 to every request.
 */
export function shopImage(version: string, isFit: Fitness = () => true): Image {
  return shop(version, async (container) => {
    container.log(`shop ${version} listens on port ${PORT}`);
    await container.listen(PORT, (request, response) => {
      response.on('finish', () => container.log(`${request.method} ${request.url} ${response.statusCode}`));
      const { status, body, afterMs } = isFit(Date.now() - container.startedAt)
        ? answerTo(request, version, container.env)
        : { status: 503, body: 'the shop is out of order\n', afterMs: 0 };
      const headers = { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(body), 'x-version': version };
      const send = () => response.writeHead(status, headers).end(body);
      if (afterMs > 0) container.after(afterMs, send);
      else send();
    });
  });
}

/** Starts, logs an error and exits. */
export function crashingShopImage(
  version: string,
  exit: { afterMs: number; code: number; oomKilled?: boolean; lastWords: string },
): Image {
  return shop(version, (container) => {
    container.log(`shop ${version} starts`);
    container.after(exit.afterMs, () => {
      container.log(exit.lastWords, 'stderr');
      container.exit(exit.code, { oomKilled: exit.oomKilled });
    });
  });
}

/** A one-shot service. */
export function migrationImage(name: string, code: number): Image {
  return shop(name, (container) => {
    const words = code === 0 ? 'migrated the database' : 'migration failed: relation "orders" is locked';
    container.after(50, () => {
      container.log(words, code === 0 ? 'stdout' : 'stderr');
      container.exit(code);
    });
  });
}

function shop(version: string, program: Program): Image {
  return buildImage({
    content: `shop ${version}`,
    env: [`SHOP_VERSION=${version}`],
    exposedPorts: [PORT],
    program,
    command: commandOf,
  });
}

/** Programs in the image, for one-off containers: `migrate [EXIT CODE [MS]]`, `printenv NAME`, `echo WORDS`, `true`, `false`. */
function commandOf([name, ...words]: readonly string[]): Program | undefined {
  const [argument = '', ms = '200'] = words;
  switch (name) {
    case 'migrate':
      return (container) => {
        container.after(Number(ms), () => {
          const code = Number(argument || 0);
          container.log(code === 0 ? 'migrated the database' : 'migration failed: relation "orders" is locked');
          container.exit(code);
        });
      };
    case 'printenv':
      return (container) => {
        const value = container.env[argument];
        if (value !== undefined) container.log(value);
        container.exit(value === undefined ? 1 : 0);
      };
    case 'true':
    case 'false':
      return (container) => container.exit(name === 'true' ? 0 : 1);
    case 'echo':
      return (container) => {
        container.log(words.join(' '));
        container.exit(0);
      };
    default:
      return undefined;
  }
}

interface Answer {
  status: number;
  body: string;
  afterMs: number;
}

function answerTo(request: IncomingMessage, version: string, env: ContainerProcess['env']): Answer {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://shop');
  const ok = (body: string, afterMs = 0): Answer => ({ status: 200, body, afterMs });
  const notFound = (body: string): Answer => ({ status: 404, body, afterMs: 0 });
  switch (pathname) {
    case '/':
      return ok(`shop ${version}\n`);
    case '/healthz':
      return ok('ok\n');
    case '/slow':
      return ok(`shop ${version}, slowly\n`, Number(searchParams.get('ms')));
    case '/env': {
      const value = env[searchParams.get('name') ?? ''];
      return value === undefined ? notFound('not set\n') : ok(`${value}\n`);
    }
    default:
      return notFound('not found\n');
  }
}
