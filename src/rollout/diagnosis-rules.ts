/**
 * Causes of failed droplets and how they show. Special causes come before general ones. The words are those of Docker 20.10 to
 * 29, compose v2, runc, common shells and runtimes; the tests hold them as they were printed.
 */
import type { ContainerFindings, Findings, Listener } from './diagnosis.js';

export interface Rule {
  name: string;
  /** The sentences of cause and remedy, if it applies. */
  find(findings: Findings): readonly [sentence: string, remedy: string] | undefined;
}

type Found = ReturnType<Rule['find']>;

const DEPLOY_AGAIN = 'then deploy again';

/** A quoted word of foreign text is cut to this length. */
const MAX_WORD = 120;

/** Of each container by itself; the first that shows it is named. */
function ofContainer(find: (container: ContainerFindings, findings: Findings) => Found): Rule['find'] {
  return (findings) => {
    for (const container of findings.containers) {
      const found = find(container, findings);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

/** What Docker, or compose for Docker, says of a start. */
function startWords({ error = '' }: ContainerFindings, { failure }: Findings): string {
  return `${error}\n${failure}`;
}

function inLog({ log }: ContainerFindings, pattern: RegExp): RegExpExecArray | undefined {
  // The last words count: earlier lines may be of an earlier start.
  for (const line of log.toReversed()) {
    const match = pattern.exec(line);
    if (match) return match;
  }
  return undefined;
}

function hasEnded({ state, restarts, exitCode }: ContainerFindings): boolean {
  return state === 'restarting' || restarts > 0 || (state !== 'running' && exitCode !== 0);
}

function isRunning({ state }: ContainerFindings): boolean {
  return state === 'running';
}

function word(text: string | undefined): string {
  return (text ?? '').slice(0, MAX_WORD);
}

const NOT_FOUND_IN_PATH =
  /exec: "([^"]+)": (?:executable file not found in \$PATH|stat [^:]+: no such file or directory)/;
/** docker-init and tini, which start the program of a service with init: true. */
const INIT_NOT_FOUND = /\btini \(\d+\)\] exec (\S+) failed: No such file or directory/;
const INIT_NOT_EXECUTABLE = /\btini \(\d+\)\] exec (\S+) failed: Permission denied/;
const SHELL_NOT_FOUND =
  /\bsh: (?:\d+: )?(?:line \d+: )?([\w./+-]+): not found|bash: (?:line \d+: )?([\w./+-]+): command not found/;
const REFUSED = /connection refused|couldn't connect|failed to connect|ECONNREFUSED/i;
/** The status with which the app answered the check that failed. */
function checkStatus(findings: Findings): number | undefined {
  const match = isCheckFailure(findings.code) ? /: HTTP ([1-5]\d\d) in /.exec(findings.failure) : null;
  return match === null ? undefined : Number(match[1]);
}

/** The container's port at which a check was turned away, and the container. */
function refusedAt(findings: Findings): { container: ContainerFindings; port: number } | undefined {
  if (!isCheckFailure(findings.code) || checkStatus(findings) !== undefined) return undefined;
  if (/no answer within/.test(findings.failure)) return undefined;
  for (const container of findings.containers) {
    const way = container.ports.find(({ host }) => host === findings.checkedPort);
    if (way !== undefined && isRunning(container)) return { container, port: way.container };
  }
  return undefined;
}

function portsOf(listening: readonly Listener[]): string {
  const ports = [...new Set(listening.map(({ port }) => port))];
  return ports.length === 1 ? `port ${ports[0]}` : `ports ${ports.slice(0, 5).join(', ')}`;
}

/** A request to the app has failed: the error says what was asked, the diagnosis why. */
export function isCheckFailure(code: string): boolean {
  return code === 'balancer-check-failed' || code === 'app-check-failed';
}

export const RULES: readonly Rule[] = [
  {
    name: 'other-processor',
    find: ofContainer((one, findings) => {
      const isOther = /exec format error/i.test(startWords(one, findings)) || inLog(one, /exec format error/i);
      if (!isOther) return undefined;
      return [
        `The program of ${one.service} was built for another processor than that of ${findings.droplet}.`,
        'Build the image for the droplets: docker buildx build --platform linux/amd64 --push. A script as entrypoint needs a first line such as #!/bin/sh.',
      ];
    }),
  },
  {
    name: 'out-of-memory',
    find: ofContainer((one) =>
      one.oomKilled
        ? [
            `${one.service} ran out of memory and was killed (exit code 137).`,
            `Raise mem_limit or deploy.resources.limits.memory of ${one.service} in the compose file, or take larger droplets, ${DEPLOY_AGAIN}.`,
          ]
        : undefined,
    ),
  },
  {
    name: 'heap-full',
    find: ofContainer((one) =>
      inLog(one, /JavaScript heap out of memory|java\.lang\.OutOfMemoryError/)
        ? [
            `${one.service} filled the heap that its runtime allows.`,
            'Raise the limit (Node.js: NODE_OPTIONS=--max-old-space-size=MIB, Java: -Xmx), or find what fills it.',
          ]
        : undefined,
    ),
  },
  {
    name: 'healthcheck-command-missing',
    find: ofContainer((one) => {
      if (one.health !== 'unhealthy') return undefined;
      const output = one.healthOutput ?? '';
      const match = NOT_FOUND_IN_PATH.exec(output) ?? SHELL_NOT_FOUND.exec(output);
      if (match === null) return undefined;
      const name = word(match[1] ?? match[2]);
      return [
        `The healthcheck of ${one.service} runs ${name}, which its image does not have.`,
        `Install ${name} in the image, or write the healthcheck with a program that it has (wget of busybox, node, python).`,
      ];
    }),
  },
  {
    name: 'command-missing',
    find: ofContainer((one, findings) => {
      const match =
        NOT_FOUND_IN_PATH.exec(startWords(one, findings)) ??
        (hasEnded(one) ? inLog(one, INIT_NOT_FOUND) : undefined) ??
        (hasEnded(one) && one.exitCode === 127 ? inLog(one, SHELL_NOT_FOUND) : undefined);
      if (!match) return undefined;
      const name = word(match[1] ?? match[2]);
      return [
        `The image of ${one.service} has no command ${name}.`,
        `Correct command: or entrypoint: of ${one.service}, or install ${name} in the image.`,
      ];
    }),
  },
  {
    name: 'interpreter-missing',
    find: ofContainer((one, findings) => {
      const text = `${startWords(one, findings)}\n${one.log.join('\n')}`;
      const match = /exec:? "?(\/[^\s":]+)"?: no such file or directory/.exec(text);
      if (match === null) return undefined;
      return [
        `${one.service} cannot run ${word(match[1])}: the file, or the interpreter in its first line, is missing.`,
        'If the file is there, it has Windows line ends (convert it: sed -i "s/\\r$//" FILE) or was built for another libc.',
      ];
    }),
  },
  {
    name: 'not-executable',
    find: ofContainer((one, findings) => {
      const match =
        /exec:? "?([^\s":]+)"?: permission denied/i.exec(startWords(one, findings)) ?? inLog(one, INIT_NOT_EXECUTABLE);
      if (!match) return undefined;
      return [
        `${word(match[1])} in the image of ${one.service} is not executable.`,
        `Make it executable in the Dockerfile: RUN chmod +x ${word(match[1])}`,
      ];
    }),
  },
  {
    name: 'port-in-use',
    find({ failure, containers, droplet, login }) {
      const text = [failure, ...containers.map(({ error = '' }) => error)].join('\n');
      const match =
        /Bind for \S*?:(\d+) failed: port is already allocated/.exec(text) ??
        /listen tcp\d? \S*?:(\d+): bind: address already in use/.exec(text) ??
        /failed to bind (?:host )?port (?:for )?\S*?:(\d+)\b[^\n]*(?:already|in use)/.exec(text);
      if (match === null) return undefined;
      return [
        `Port ${match[1]} of ${droplet} is in use by another program or container.`,
        `See which: ${login} "ss -ltnp 'sport = :${match[1]}'; docker ps --filter publish=${match[1]}". Stop it, ${DEPLOY_AGAIN}.`,
      ];
    },
  },
  {
    name: 'name-in-use',
    find({ failure, droplet, login }) {
      const match = /container name "\/?([\w.-]+)" is already in use/.exec(failure);
      if (match === null) return undefined;
      return [
        `Another project on ${droplet} has a container named ${match[1]}.`,
        `Remove container_name: from the compose file, or rename the other: ${login} docker rename ${match[1]} ${match[1]}-other`,
      ];
    },
  },
  {
    name: 'disk-full',
    find: (findings) => {
      const { failure, containers, droplet, login } = findings;
      const text = [failure, ...containers.flatMap(({ error = '', log }) => [error, ...log])].join('\n');
      if (!/no space left on device|ENOSPC|disk quota exceeded/i.test(text)) return undefined;
      return [
        `The disk of ${droplet} is full.`,
        `See what takes the space: ${login} "df -h; docker system df". Free space, ${DEPLOY_AGAIN}.`,
      ];
    },
  },
  {
    name: 'read-only',
    find: ofContainer((one, findings) => {
      const pattern = /read-only file system|EROFS/i;
      if (!pattern.test(startWords(one, findings)) && !(hasEnded(one) && inLog(one, pattern))) return undefined;
      return [
        `${one.service} writes to a file system that is read-only.`,
        `Give it a tmpfs: or a volume for that path, or remove read_only: and :ro. If the droplet's own disk is read-only, see: ${findings.login} dmesg`,
      ];
    }),
  },
  {
    name: 'no-permission',
    find: ofContainer((one) => {
      if (!hasEnded(one) && one.health !== 'unhealthy') return undefined;
      const match = inLog(
        one,
        /(?:permission denied|EACCES|errno 13)[^/\n]*(\/[^\s'",:)]+)|(\/[^\s'",:)]+)['"]?:? ?\(?(?:permission denied|EACCES)/i,
      );
      if (match === undefined) return undefined;
      const path = word(match[1] ?? match[2]);
      return [
        `${one.service} may not read or write ${path}.`,
        `Give it to the user that the container runs as (USER of the image, user: of the service): chown in the Dockerfile, or of the mounted folder on the droplet.`,
      ];
    }),
  },
  {
    name: 'variable-missing',
    find: ofContainer((one) => {
      if (!hasEnded(one)) return undefined;
      const match = inLog(
        one,
        /KeyError: ['"]([A-Z][A-Z0-9_]+)['"]|key not found: "([A-Z][A-Z0-9_]+)"|(?:missing|required|undefined|unset)(?: required)?(?: environment| env)?(?: variable| var)s?:? ['"`$]?([A-Z][A-Z0-9_]{2,})\b|\b([A-Z][A-Z0-9_]{2,})['"`]? (?:environment variable )?(?:is|was|must be) (?:not set|not defined|missing|required|unset|undefined|set)\b|([A-Z][A-Z0-9_]{2,}): parameter (?:not set|null or not set)/,
      );
      if (match === undefined) return undefined;
      const name = match.slice(1).find((group) => group !== undefined);
      return [
        `${one.service} stops because the variable ${name} is missing.`,
        `Add ${name} to its env file or to environment: of the compose file, ${DEPLOY_AGAIN}.`,
      ];
    }),
  },
  {
    name: 'clock-wrong',
    find: ofContainer((one, { droplet, login }) =>
      inLog(
        one,
        /certificate is not yet valid|has expired or is not yet valid|RequestTimeTooSkewed|clock skew|token used before issued/i,
      )
        ? [
            `The clock of ${droplet} may be wrong: ${one.service} rejects a certificate or signature because of its time.`,
            `Compare the clocks: ${login} date -u; date -u. Turn synchronisation on: ${login} timedatectl set-ntp true`,
          ]
        : undefined,
    ),
  },
  {
    name: 'proxy-protocol-expected',
    find: ofContainer((one) =>
      inLog(
        one,
        /broken header: .* while reading PROXY protocol|proxy protocol (?:header|signature) (?:not|is missing)|no proxy protocol header/i,
      )
        ? [
            `${one.service} expects the PROXY protocol, which the balancer does not send.`,
            "Turn on the balancer's PROXY protocol, or remove proxy_protocol from the app's configuration.",
          ]
        : undefined,
    ),
  },
  {
    name: 'proxy-protocol-unexpected',
    find: ofContainer((one) =>
      inLog(
        one,
        /["' ]PROXY TCP[46] |PROXY UNKNOWN|malformed HTTP request "PROXY|invalid (?:HTTP )?method.{0,40}PROXY/i,
      )
        ? [
            `The balancer sends the PROXY protocol, which ${one.service} does not understand.`,
            "Turn off the balancer's PROXY protocol, or let the app read it (nginx: listen 80 proxy_protocol).",
          ]
        : undefined,
    ),
  },
  {
    name: 'docker-api',
    find(findings) {
      const text = [findings.failure, ...findings.containers.flatMap(({ log }) => log)].join('\n');
      const match = /client version ([\d.]+) is too (new|old)\. M(?:ax|in)imum supported API version is ([\d.]+)/.exec(
        text,
      );
      if (match === null) return undefined;
      const [, client, how, limit] = match;
      const who = findings.containers.find(({ log }) => log.some((line) => line.includes('client version')))?.service;
      return [
        `${who === undefined ? 'The docker command' : `The Docker client in ${who}`} speaks API version ${client}, which is too ${how} for Docker on ${findings.droplet} (${limit}).`,
        how === 'new'
          ? `Update Docker there, or set DOCKER_API_VERSION=${limit} for the client.`
          : 'Update the client: an image that uses the mounted docker.sock needs a newer version.',
      ];
    },
  },
  {
    name: 'library-missing',
    find: ofContainer((one) => {
      const match = inLog(
        one,
        /Cannot find (?:module|package) '([^']+)'|No module named '?([\w.]+)|error while loading shared libraries: ([^:]+):|cannot load such file -- (\S+)|Could not find or load main class (\S+)/,
      );
      if (!hasEnded(one) || match === undefined) return undefined;
      const name = word(match.slice(1).find((group) => group !== undefined));
      return [
        `The image of ${one.service} lacks ${name}.`,
        'Check that the Dockerfile installs and copies it (.dockerignore, production dependencies, build stage).',
      ];
    }),
  },
  {
    name: 'crash',
    find: ofContainer((one) =>
      hasEnded(one) && one.exitCode === 139
        ? [
            `${one.service} crashed with a segmentation fault (exit code 139).`,
            'Run the image locally with the same architecture; native modules may be built for another libc or processor.',
          ]
        : undefined,
    ),
  },
  {
    name: 'cannot-reach',
    find: ofContainer((one) => {
      if (!hasEnded(one) && one.health !== 'unhealthy') return undefined;
      const match = inLog(
        one,
        /connect ECONNREFUSED (\S+:\d+)|getaddrinfo (?:ENOTFOUND|EAI_AGAIN) (\S+)|could not translate host name "([^"]+)"|connection to server at "([^"]+)"[^\n]*(?:refused|failed)|dial tcp (?:\S+: )?lookup (\S+?)(?: on \S+)?: |dial tcp (\S+:\d+): (?:connect: connection refused|i\/o timeout)|Can't connect to MySQL server on '([^']+)'/,
      );
      if (match === undefined) return undefined;
      const other = word(match.slice(1).find((group) => group !== undefined));
      return [
        `${one.service} cannot reach ${other}.`,
        `Check the address in its environment, that ${other} runs and accepts connections from the droplet (trusted sources of a managed database, firewall, VPC).`,
      ];
    }),
  },
  {
    name: 'host-refused',
    find(findings) {
      const pattern =
        /Invalid HTTP_HOST header|DisallowedHost|Blocked hosts?: |Invalid Host header|host .{0,60} is not allowed/i;
      const one = findings.containers.find((container) => inLog(container, pattern));
      if (one === undefined) return undefined;
      return [
        `${one.service} refuses the health check because of its Host header, which is an address.`,
        'The path of the health check must answer any Host: in Django extend ALLOWED_HOSTS, in Rails exclude the path in config.host_authorization.',
      ];
    },
  },
  {
    name: 'loopback-only',
    find(findings) {
      const { container, port } = refusedAt(findings) ?? {};
      const there = container?.listening?.filter((one) => one.port === port) ?? [];
      if (container === undefined || there.length === 0 || !there.every(({ loopback }) => loopback)) return undefined;
      return [
        `${container.service} listens on ${there[0]?.family === 6 ? '::1' : '127.0.0.1'}:${port} only, where nothing outside its container can reach it.`,
        `Let it listen on 0.0.0.0:${port}, for instance with HOST=0.0.0.0.`,
      ];
    },
  },
  {
    name: 'other-port',
    find(findings) {
      const { container, port } = refusedAt(findings) ?? {};
      const listening = container?.listening;
      if (container === undefined || listening === undefined || listening.some((one) => one.port === port))
        return undefined;
      const outside = listening.filter(({ loopback }) => !loopback);
      if (outside.length === 0) {
        return [
          `${container.service} listens on no port yet, so nothing answers at ${port}.`,
          `See what it waits for in its log, or raise rollout.health.timeout if it only needs longer.`,
        ];
      }
      return [
        `${container.service} listens on ${portsOf(outside)}, but the droplet's port ${findings.checkedPort} leads to its port ${port}.`,
        `Correct ports: of ${container.service} in the compose file, or the port that it listens on.`,
      ];
    },
  },
  {
    name: 'localhost-is-ipv6',
    find: ofContainer((one) => {
      const { health, healthOutput = '', listening } = one;
      if (health !== 'unhealthy' || !REFUSED.test(healthOutput) || listening === undefined) return undefined;
      if (!/\[?::1\]?|\blocalhost\b/.test(healthOutput)) return undefined;
      const port = Number(/(?:\]|localhost|::1)[: ]+(?:port )?(\d{2,5})/.exec(healthOutput)?.[1]);
      const there = listening.filter((listener) => listener.port === port);
      if (there.length === 0 || there.some(({ family }) => family === 6)) return undefined;
      return [
        `The healthcheck of ${one.service} asks localhost, which is ::1 there; the app listens on IPv4 only.`,
        'Write 127.0.0.1 instead of localhost in the healthcheck.',
      ];
    }),
  },
  {
    name: 'healthcheck-refused',
    find: ofContainer((one) => {
      const { health, healthOutput = '', listening } = one;
      if (health !== 'unhealthy' || !REFUSED.test(healthOutput) || listening === undefined) return undefined;
      const port = Number(/[:\s](\d{2,5})\b(?!.*[:\s]\d{2,5}\b)/.exec(healthOutput)?.[1]);
      if (listening.some((listener) => listener.port === port)) {
        return [
          `The healthcheck of ${one.service} gave up before the app had started: it listens on port ${port} by now.`,
          `Raise start_period of its healthcheck, ${DEPLOY_AGAIN}.`,
        ];
      }
      if (listening.length === 0) {
        return [
          `${one.service} did not listen on any port when its healthcheck gave up.`,
          'See in its log what it waits for. If it only needs longer to start, raise start_period of its healthcheck.',
        ];
      }
      return [
        `${one.service} listens on ${portsOf(listening)}; its healthcheck asks where nothing listens.`,
        `Correct the port in the healthcheck of ${one.service}, or the one that it listens on.`,
      ];
    }),
  },
  {
    name: 'check-redirected',
    find: (findings) => {
      const status = checkStatus(findings);
      if (status === undefined || status < 300 || status > 399) return undefined;
      return [
        `The health check is redirected (${status}).`,
        'Let its path answer 200 over plain HTTP: exclude it from the redirect to HTTPS or to another host (Rails: config.ssl_options, Django: SECURE_REDIRECT_EXEMPT).',
      ];
    },
  },
  {
    name: 'check-needs-login',
    find: (findings) => {
      const status = checkStatus(findings);
      if (status !== 401 && status !== 403) return undefined;
      return [`The app refuses the health check (${status}).`, 'Its path must answer any Host and need no login.'];
    },
  },
  {
    name: 'check-needs-host',
    find: (findings) => {
      const status = checkStatus(findings);
      if (status !== 400 && status !== 421) return undefined;
      return [
        `The app refuses the health check (${status}), probably for its Host header, which is an address.`,
        'The path of the health check must answer any Host: in Django extend ALLOWED_HOSTS, in Rails exclude the path in config.host_authorization.',
      ];
    },
  },
  {
    name: 'check-path-missing',
    find: (findings) =>
      checkStatus(findings) === 404
        ? [
            'The path of the health check does not exist (404).',
            "Add it to the app, or correct the path in the balancer's health check.",
          ]
        : undefined,
  },
  {
    name: 'check-app-error',
    find: (findings) => {
      const status = checkStatus(findings);
      if (status === undefined || status < 500) return undefined;
      return [
        `The app answers the health check with an error (${status}).`,
        'Its log above says why. Fix the release, then deploy again.',
      ];
    },
  },
  {
    name: 'healthcheck-slow',
    find: ofContainer((one) =>
      one.health === 'unhealthy' && /health check exceeded timeout/i.test(one.healthOutput ?? '')
        ? [
            `The healthcheck of ${one.service} takes longer than its timeout.`,
            'Raise timeout: of the healthcheck, or make what it asks faster.',
          ]
        : undefined,
    ),
  },
  {
    name: 'killed',
    find: ofContainer((one) =>
      hasEnded(one) && one.exitCode === 137
        ? [
            `${one.service} was killed (exit code 137): by the kernel for lack of memory, or by docker kill.`,
            'See which: dmesg on the droplet names processes that it killed. An app that ignores SIGTERM is killed after stop_grace_period.',
          ]
        : undefined,
    ),
  },
  {
    name: 'exited',
    find: ofContainer((one) => {
      if (!hasEnded(one) || one.exitCode === 0) return undefined;
      const last =
        inLog(one, /\b(?:error|exception|fatal|panic|cannot|failed|refused|denied)\b.*/i)?.input ?? one.log.at(-1);
      if (last === undefined) return undefined;
      return [
        `${one.service} exited ${one.exitCode}: ${word(last.trim())}`.replace(/[.:]?$/, '.'),
        'Fix the image or its settings, then deploy again.',
      ];
    }),
  },
  {
    name: 'dependency-unhealthy',
    find({ failure, containers }) {
      // What is wrong with it says more.
      if (containers.some((one) => hasEnded(one) || one.health === 'unhealthy')) return undefined;
      const match =
        /dependency failed to start: container (\S+) (is unhealthy|exited \(\d+\)|has no healthcheck configured)/.exec(
          failure,
        );
      if (match === null) return undefined;
      const [, name, how] = match;
      return [
        `Compose started nothing that depends on ${word(name)}, which ${how}.`,
        how === 'has no healthcheck configured'
          ? 'Give that service a healthcheck, or depend on service_started.'
          : 'Fix that service first: its log is above.',
      ];
    },
  },
];
