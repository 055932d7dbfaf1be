/** biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the files' own syntax */
/** What commands on droplets print: a value or a DeployError, and no text that passes for another field. */
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { readHealthOutput } from '../../../src/adapters/ssh/health-request-command.js';
import { keysIn } from '../../../src/deploy/bootstrap/actions/user.js';
import { readFacts } from '../../../src/deploy/bootstrap/facts-command.js';
import { planBootstrap } from '../../../src/deploy/bootstrap/plan-bootstrap.js';
import { readComposeFacts } from '../../../src/deploy/doctor/compose-facts.js';
import { readCheckedImages, readImageFacts } from '../../../src/deploy/doctor/image-facts.js';
import { readMachine } from '../../../src/deploy/doctor/machine-command.js';
import { readProject } from '../../../src/deploy/doctor/project-command.js';
import { countBusy, parseOpenConnections } from '../../../src/deploy/drain/open-connections.js';
import { parseTraffic } from '../../../src/deploy/drain/traffic-command.js';
import { TrafficRecord } from '../../../src/deploy/drain/traffic-record.js';
import { parseContainers } from '../../../src/deploy/droplet/containers-command.js';
import { readSurvey, type Survey } from '../../../src/deploy/droplet/survey-command.js';
import { lastFleet, mergeHistories } from '../../../src/deploy/inspect/read-history.js';
import { readHolder } from '../../../src/deploy/lease/lease-commands.js';
import { readArchive } from '../../../src/deploy/release/archive.js';
import { readChecksums } from '../../../src/deploy/release/digests.js';
import { checkCompose } from '../../../src/deploy/staging/check-compose.js';
import { readComposeConfig } from '../../../src/deploy/staging/compose-config.js';
import { readMissingNeeds } from '../../../src/deploy/staging/compose-needs.js';
import { readRoom } from '../../../src/deploy/staging/room-command.js';
import { DeployError } from '../../../src/errors.js';
import { answerOf, FRESH, READY, WANTED } from '../../deploy/bootstrap/samples.js';
import { oneContainer } from '../../support/one-container.js';
import { expectThat, target } from '../target.js';
import { isSafeLine } from '../unsafe.js';
import { hostileWord, longText, spoiled, spoiledJson } from '../words.js';

const SUM = 'a'.repeat(64);
const STATE = { release: 'r1', phase: 'verified', previous: 'r0', proven: ['r0'], run: 'x', since: '2026-11-28' };
const OUT = { since: '2026-11-28T00:00:00Z', run: 'x', who: 'ann' };
const RELEASE = {
  ...{
    id: 'r1',
    app: 'shop',
    environment: 'production',
    imageTag: 'v1',
    content: SUM,
    identity: SUM,
    createdAt: '2026',
  },
  ...{
    createdBy: 'ann',
    composeFiles: ['c.yml'],
    envFiles: [],
    images: { web: { reference: 'a', pinned: 'a@b', imageId: 'c' } },
  },
  services: [{ name: 'web', image: 'a', replicas: 1, stays: true, oneShot: false }],
};
const SECTIONS: Record<string, string> = {
  home: '/root',
  clock: '1700000000',
  docker: '28.2.2',
  compose: '2.36.0',
  disk: '/dev/vda1 50000000 10000000 40000000 20% /',
  current: 'releases/r1',
  releases: JSON.stringify(RELEASE),
  state: JSON.stringify(STATE),
  out: JSON.stringify(OUT),
  checksums: `${SUM}  c.yml`,
  found: `- ${SUM}  c.yml\n${'b'.repeat(64)}  images.yml`,
  containers: oneContainer(80),
};
/** What a droplet can make its scripts of. */
const HOSTILE = {
  ...FRESH,
  system: ['refused ', 'uid 0', 'id debian', "version 13';reboot;'", "codename x;reboot';reboot;'"],
  firewall: ['address 10.108.0.5/20;reboot', 'address 10.108.0.5/20', 'port 22;reboot', 'port 22', 'input $(reboot)'],
  'daemon-settings': [`file ${Buffer.from(`{"a'b": "';reboot;'"}`).toString('base64')}`],
  swap: ['memory 900;reboot', 'memory 957', 'free 20000;reboot', 'filesystem ext4'],
};
const MARK = '0123456789abcdef0123456789abcdef';
const NAMES = Object.keys(SECTIONS);

const surveyWith = (sections: Record<string, string>, mark = MARK) =>
  `${mark}\n${Object.entries(sections)
    .map(([name, text]) => `\n${mark} ${name}\n${text}\n`)
    .join('')}`;

const LAYERS = { layers: [{ digest: `sha256:${SUM}`, size: 1_000_000 }] };
const ROOM = surveyWith({
  machine: 'x86_64',
  found: `${SECTIONS.disk}\n${'b'.repeat(64)}`,
  manifests: `manifests:\n${JSON.stringify([
    { Descriptor: { platform: { os: 'linux', architecture: 'amd64' } }, OCIManifest: LAYERS },
  ])}`,
});

/** What doctor reads of a droplet's machine, and of the project there. */
const MACHINE = surveyWith({
  machine: 'x86_64',
  memory: 'MemTotal: 2000000 kB\nMemAvailable: 900000 kB\nSwapFree: 0 kB',
  store: '/var/lib/docker\noverlayfs\nx86_64\n[[driver-type io.containerd.snapshotter.v1]]',
  counters: 'readable',
  listening: '0050\n1F90',
  partial: 'releases/r0.partial\n./incoming-r0.tgz',
});

const FORGED = [
  ...NAMES.map((name) => `\n--- do-deploy:${name}\n${SECTIONS[name]}\n`),
  ...NAMES.map((name) => `\n\n ${name}\n${SECTIONS[name]}\n`),
  ...[
    `\n${MARK.slice(1)} state\n{}`,
    `\n${'f'.repeat(32)} home\n/evil\n`,
    '\nmark home\n/evil',
    'failed 1',
    'now 1e300',
    'now ',
    '1e300',
  ],
];

/** The fields of a survey that a section may speak for. */
const FIELDS: Record<string, (keyof Survey)[]> = {
  ...{
    home: ['home'],
    clock: ['clock'],
    docker: ['docker'],
    compose: ['compose'],
    disk: ['diskFreeBytes', 'diskUsed'],
    current: ['current'],
  },
  ...{
    releases: ['releases'],
    state: ['state'],
    out: ['out'],
    checksums: ['checksums', 'found'],
    found: ['found'],
    containers: ['containers'],
  },
};

const plain = (value: unknown) =>
  JSON.stringify(value, (_, one: unknown) => (one instanceof Map ? [...one] : one)) ?? 'undefined';

const readQuietly = (text: string) => unlessRefused(() => readSurvey(text));

/** Undefined where it is refused as it should be. */
function unlessRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DeployError && error.source !== 'bug') return undefined;
    throw error;
  }
}

export const survey = target({
  name: 'survey',
  runs: 300,
  inputs: fc.oneof(
    {
      weight: 5,
      arbitrary: fc
        .constantFrom(...NAMES)
        .chain((name) =>
          fc.tuple(fc.constant(name), fc.oneof(spoiled(fc.constant(SECTIONS[name] ?? ''), FORGED), longText)),
        ),
    },
    { weight: 1, arbitrary: spoiled(fc.constantFrom(surveyWith(SECTIONS), surveyWith(SECTIONS, ''), ''), FORGED) },
  ),
  check(input) {
    if (typeof input === 'string') return void readQuietly(input);
    const [name, text] = input;
    const usual = readSurvey(surveyWith(SECTIONS));
    const seen = readQuietly(surveyWith({ ...SECTIONS, [name]: text }));
    if (seen === undefined) return;
    for (const field of Object.keys(usual) as (keyof Survey)[]) {
      // Without Docker nothing is known of containers.
      if (FIELDS[name]?.includes(field) || field === 'problems' || (name === 'docker' && field === 'containers'))
        continue;
      expectThat(plain(seen[field]) === plain(usual[field]), `${name} changes ${field} to ${plain(seen[field])}`);
    }
    expectDates(seen.clock, seen.containers?.now);
  },
});

/** Times that a Date can hold. */
function expectDates(...times: (number | undefined)[]): void {
  for (const time of times)
    expectThat(time === undefined || !Number.isNaN(new Date(time).getTime()), `a time is ${time}`);
}

interface Reader {
  texts: fc.Arbitrary<string>;
  read(text: string): void;
}

const json = (value: unknown) => spoiledJson(fc.constant(value));
const HISTORY = {
  ...{
    at: '2026-11-28T00:00:00Z',
    run: 'x',
    environment: 'production',
    command: 'deploy',
    who: 'ann',
    release: 'r1',
    imageTag: 'v1',
  },
  ...{ outcome: 'succeeded', durationMs: 100, probes: { total: 3, failed: 0 }, droplets: [1, 2] },
};
const COMPOSE = {
  services: {
    web: {
      ...{
        image: 'nginx',
        ports: [{ published: '80', target: 80, protocol: 'tcp' }],
        healthcheck: { test: ['CMD', 'x'] },
      },
      ...{ depends_on: { db: { condition: 'service_completed_successfully' } }, deploy: { replicas: 2 }, scale: 1 },
      ...{ volumes: [{ type: 'bind', source: '/a', target: '/b' }], networks: { front: null }, container_name: 'web' },
      environment: { PASSWORD: 'correct-horse-9471' },
    },
    db: { build: { context: '.' }, platform: 'linux/arm64', env_file: ['a'] },
  },
  networks: { front: { name: 'front', external: true } },
  volumes: { data: { name: 'data', external: true } },
};
const NEEDS = {
  networks: [{ name: 'n', at: ['c.yml:1'] }],
  volumes: [{ name: 'v', at: [] }],
  containers: [{ name: 'c', service: 'web', at: [] }],
  paths: [{ path: '/p', what: 'web', at: [] }],
};
const PORTS = [{ host: 80, container: 8080, pid: 7 }];

const READERS: Record<string, Reader> = {
  machine: {
    texts: spoiled(fc.constant(MACHINE), [
      '\n../../etc',
      '\n$(reboot)',
      'MemAvailable: 1e300 kB',
      'FFFFF',
      ' kB\n',
      "'",
    ]),
    read(text) {
      const { availableBytes = 0, swapBytes = 0, listening, partial } = readMachine(text);
      expectThat(Number.isSafeInteger(availableBytes + swapBytes), `the memory is ${availableBytes}`);
      expectThat(
        listening.every((port) => port >= 0 && port < 65_536),
        `the ports are ${listening}`,
      );
      // They become words of a command that the user pastes.
      expectThat(
        partial.every((path) => /^[A-Za-z0-9._/-]+$/.test(path)),
        `the paths are ${partial}`,
      );
    },
  },
  project: {
    texts: fc.oneof(
      json(COMPOSE).map((text) => surveyWith({ config: text, code: '0', said: 'x', inspected: '[]' })),
      json([{ RepoTags: ['nginx:latest'], Config: { Healthcheck: { Test: ['CMD'] } } }]).map((text) =>
        surveyWith({ config: '{}', code: '0', inspected: text, asked: '0' }),
      ),
    ),
    read(text) {
      const answer = readProject(text);
      readCheckedImages(answer, ['nginx', 'a@sha256:b']);
      readImageFacts(answer, ['ghcr.io/a/b:v1']);
      const { services } = readComposeFacts(answer.config ?? '') ?? { services: [] };
      for (const { healthcheck } of services) {
        const { intervalMs = 0, startPeriodMs = 0, startIntervalMs = 0 } = healthcheck ?? {};
        const times = [intervalMs, startPeriodMs, startIntervalMs];
        expectThat(!times.some(Number.isNaN), `the times are ${times}`);
      }
    },
  },
  containers: {
    texts: fc.oneof(
      json(JSON.parse(oneContainer(80).split('\n').slice(1).join('\n'))).map((text) => `now 1000\n${text}`),
      spoiled(fc.constant(oneContainer(80)), FORGED),
    ),
    read(text) {
      const seen = unlessRefused(() => parseContainers(text));
      if (seen === undefined) return;
      expectDates(seen.now, ...seen.containers.map(({ startedAt }) => startedAt));
      for (const { ports } of seen.containers) {
        const numbers = ports.flatMap(({ host, container }) => [host, container]);
        expectThat(
          numbers.every((one) => Number.isInteger(one) && one > 0 && one < 65_536),
          `the ports are ${numbers}`,
        );
      }
    },
  },
  compose: {
    texts: json(COMPOSE),
    read(text) {
      const services = unlessRefused(() => readComposeConfig(text, { app: 'shop', build: true }));
      if (services === undefined) return;
      checkCompose(text, { id: 'r1', files: [], shared: [], prepared: false, build: true });
      for (const { published, replicas } of services) {
        expectThat(
          published.every((port) => port > 0 && port < 65_536),
          `the ports are ${published}`,
        );
        expectThat(Number.isInteger(replicas) && replicas >= 0, `there are ${replicas} replicas`);
      }
    },
  },
  history: {
    texts: fc.array(json(HISTORY), { maxLength: 4 }).map((lines) => [...lines, JSON.stringify(RELEASE)].join('\n')),
    read(text) {
      const entries = mergeHistories([text, text], 'production');
      expectThat(new Set(entries.map(({ run }) => run)).size === entries.length, 'a run is listed twice');
      lastFleet(entries);
    },
  },
  holder: {
    texts: json({ run: 'x', who: 'CORP\\ann', release: 'r1', since: '2026', url: 'https://x', app: 'shop' }).map(
      (text) => `held ${text}`,
    ),
    read: (text) => void readHolder(text),
  },
  traffic: {
    texts: spoiled(fc.constant('rule 80 7\nrule 81 5\nstranger 1F90 0A000001:1234\nopen 3\n'), [
      'rule 80 NaN',
      'rule 80 -5',
      'rule 80 1e300',
      'rule 80',
      'open x',
      'open 1e300',
      'rule  80 7',
      'stranger',
      'rule 80 99999999999999999999',
    ]),
    read(text) {
      const reading = parseTraffic(text, PORTS, 80);
      for (const count of [reading.all?.count, reading.checks?.count, reading.open]) {
        expectThat(count === undefined || (Number.isSafeInteger(count) && count >= 0), `a counter is ${count}`);
      }
      const record = new TrafficRecord();
      for (const at of [0, 1_000, 2_000])
        record.add(at === 1_000 ? parseTraffic('rule 80 9\nopen 1\n', PORTS, 80) : reading, at, at + 10);
    },
  },
  'open-connections': {
    texts: spoiled(
      fc.constant(
        'connection 10.0.0.1:1 0 0 100 200 5 6 7\nconnection [::ffff:203.0.113.5]:443 0 0 1 1 1 1 1\nreadable\n',
      ),
      [
        'connection',
        'connection a 1e300',
        'connection 10.0.0.1:1 x y z',
        'readable',
        'connection 10.0.0.1:1 NaN 0 0 0 0 0 0',
        '-1',
      ],
    ),
    read(text) {
      const seen = parseOpenConnections(text, true);
      if (seen === undefined) return;
      const numbers = seen.flatMap((one) => Object.values(one));
      expectThat(
        numbers.every((one) => Number.isFinite(one) && one >= 0),
        `the numbers are ${numbers}`,
      );
      countBusy(seen, 5_000);
    },
  },
  needs: {
    texts: spoiled(fc.constant('network 0\nvolume 0\ncontainer 0 other\npath 0\n'), [
      'network 9',
      'path 99999999999999999999',
      'container 0 ',
    ]),
    read: (text) => void readMissingNeeds(text, NEEDS),
  },
  health: {
    texts: spoiled(fc.constantFrom('200', '503', '301\n'), ['1e3', '0x1', '999', '---']),
    read(text) {
      for (const code of [0, 1, 69]) {
        const { detail, status } = readHealthOutput({ code, stdout: text, stderr: text }, 5);
        expectThat(detail.length < 400 && isSafeLine(detail), `the detail is ${JSON.stringify(detail)}`);
        expectThat(status === undefined || (Number.isInteger(status) && status < 1_000), `the status is ${status}`);
      }
    },
  },
  room: {
    texts: spoiled(fc.constant(ROOM), FORGED),
    read(text) {
      const room = readRoom(text);
      if (room === undefined) return;
      const { freeBytes, missingBytes } = room;
      const areSizes = [freeBytes, missingBytes].every((bytes) => Number.isSafeInteger(bytes) && bytes >= 0);
      expectThat(areSizes, `the room is ${freeBytes} for ${missingBytes}`);
    },
  },
  bootstrap: {
    texts: spoiled(fc.constantFrom(answerOf(FRESH), answerOf(READY), answerOf(HOSTILE)), [
      'uid 0',
      'refused it',
      'loaded',
      'port 0',
      'port 99999999999',
      'network 10.108.0.5 10.108.0.0/99',
      'network 10.108.0.5 $(reboot)/20',
      'pending $(reboot)',
      `rootKeys ${Buffer.from('ssh-ed25519 x\ncommand="x" ssh-rsa').toString('base64')}`,
      `file ${Buffer.from('{"__proto__":{"live-restore":true},"log-opts":[]}').toString('base64')}`,
    ]),
    read(text) {
      const changes = (['distribution', 'docker'] as const).flatMap(
        (docker) => unlessRefused(() => planBootstrap(readFacts(text), { ...WANTED, docker }))?.changes ?? [],
      );
      for (const { script, stdin = '' } of changes) {
        expectThat(keysIn(stdin).join('\n') === stdin.trimEnd(), `the keys are ${JSON.stringify(stdin)}`);
        // Only as a quoted word, or in a file of do-deploy's.
        const bare = script.join('\n').replaceAll(/'(?:[^']|'\\'')*'/g, '');
        expectThat(!/reboot/.test(bare), `a script runs ${bare}`);
      }
    },
  },
  checksums: {
    texts: spoiled(fc.constant(`${SUM}  a\n${SUM} *b c\n`), ['__proto__', `${SUM}  __proto__`, `${SUM}  ../x`]),
    read: (text) => void readChecksums(text),
  },
};

export const dropletAnswers = target({
  name: 'droplet-answers',
  runs: 700,
  inputs: fc
    .constantFrom(...Object.keys(READERS))
    .chain((name) =>
      fc.tuple(
        fc.constant(name),
        fc.oneof({ weight: 20, arbitrary: READERS[name]?.texts ?? hostileWord }, { weight: 1, arbitrary: longText }),
      ),
    ),
  check([name, text]) {
    READERS[name]?.read(text);
  },
});

/** One entry of a tar archive, with a header that need not be right. */
function tarEntry([name, content, type, size, broken]: [string, string, string, string, boolean]): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write('0000644\0', 100);
  header.write(size === '' ? Buffer.byteLength(content).toString(8).padStart(11, '0') : size, 124, 12);
  header.write(type, 156, 1);
  header.write('ustar\0', 257);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${(broken ? sum + 1 : sum).toString(8).padStart(6, '0')}\0 `, 148);
  const body = Buffer.from(content);
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

const archives = fc
  .tuple(
    fc.array(
      fc.tuple(
        fc.oneof(fc.constantFrom('./a', '../../etc/passwd', '/etc/passwd', '__proto__'), hostileWord),
        hostileWord,
        fc.constantFrom('0', '0', '0', '1', '2', '5', 'g', 'x', 'L', 'S', '\0'),
        fc.constantFrom('', '', '', '77777777777', '-1', '\x80\x00\x00\x00\xff\xff\xff\xff'),
        fc.boolean(),
      ),
      { maxLength: 4 },
    ),
    fc.nat(2_000),
    fc.boolean(),
  )
  .map(([entries, cut, whole]) => {
    const packed = gzipSync(Buffer.concat([...entries.map(tarEntry), Buffer.alloc(1_024)]));
    return whole ? packed : packed.subarray(0, cut);
  });

export const archive = target({
  name: 'archives',
  runs: 100,
  inputs: fc.oneof(
    { weight: 9, arbitrary: archives },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  ),
  async check(bytes) {
    const files = (await readArchive(bytes)) ?? [];
    expectThat(
      files.every(({ mode, size }) => mode <= 0o777 && size >= 0),
      'a mode or size is wrong',
    );
  },
});
