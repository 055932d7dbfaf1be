/** What a bootstrap does and says, with droplets whose answers a test decides on. */
import { describe, expect, it } from 'vitest';
import type { Settings } from '../../../src/config/settings.js';
import { type BootstrapOptions, bootstrap } from '../../../src/deploy/bootstrap/bootstrap.js';
import type { DeployPorts } from '../../../src/deploy/core/deploy-ports.js';
import { ShellError } from '../../../src/errors.js';
import type { CommandResult, RemoteCommand, RemoteHost } from '../../../src/ports.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { aBalancer, aDroplet, FakeCloud } from '../../support/fake-cloud.js';
import { VirtualClock } from '../../support/virtual-clock.js';
import { answerOf, FRESH, KEY, READY, type Sections, WANTED } from './samples.js';

const settings = {
  app: 'shop',
  environment: 'production',
  target: { kind: 'load_balancer', ref: 'web' },
  ssh: { address: 'public', user: 'deploy' },
  rollout: {},
  bootstrap: { ...WANTED, waitMs: 60_000 },
} as unknown as Settings;

/** sshd alone is to be done: a change that is guarded. */
const OPEN: Sections = { ...READY, sshd: FRESH.sshd ?? [] };

class Droplets {
  readonly clock = new VirtualClock();
  readonly reporter = new CollectingReporter();
  readonly cloud = new FakeCloud(
    [aBalancer({ dropletIds: [1, 2] })],
    [1, 2].map((id) => aDroplet(id, { privateAddress: '10.108.0.5' })),
  );
  /** By droplet: the facts of each reading; the last one stays. */
  readonly facts = new Map<string, Sections[]>([
    ['web-1', [READY]],
    ['web-2', [READY]],
  ]);
  /** By name of the command: its answer, instead of an empty one. */
  readonly answers = new Map<string, () => Partial<CommandResult>>();
  readonly refused = new Set<string>();
  /** `web-1 root bootstrap sshd` */
  readonly ran: string[] = [];
  readonly inputs: unknown[] = [];
  open = 0;
  settings: object = {};

  async bootstrap(options: Partial<BootstrapOptions> = {}, more: object = {}) {
    const { cloud, clock, reporter } = this;
    const shell = { connect: (host: RemoteHost, by: { user?: string } = {}) => this.#connect(host, by.user) };
    const files = { read: async () => Buffer.from('-----BEGIN OPENSSH PRIVATE KEY-----\n') };
    const ports = { cloud, clock, reporter, shell, files } as unknown as DeployPorts;
    const own = { ...settings, bootstrap: { ...settings.bootstrap, ...more }, ...this.settings };
    return await clock.run(bootstrap(ports, own, { check: false, ...options }));
  }

  get said(): string[] {
    return this.reporter.events.flatMap((event) =>
      event.type === 'notice' ? `${event.droplet}: ${event.message}` : [],
    );
  }

  async #connect(host: RemoteHost, user = '') {
    if (this.refused.has(user) || this.refused.has(host.name)) {
      throw new ShellError('auth', 'not-applied', `${host.name} accepted no key for ${user}.`);
    }
    this.open += 1;
    const run = async ({ name, args, stdin }: RemoteCommand): Promise<CommandResult> => {
      const facts = this.facts.get(host.name) ?? [];
      const usual = () => {
        if (name === 'bootstrap-facts')
          return { stdout: answerOf((facts.length > 1 ? facts.shift() : facts[0]) ?? {}) };
        return { stdout: name === 'bootstrap-keep' ? 'kept\n' : '' };
      };
      if (name !== 'bootstrap-facts') this.ran.push([host.name, user, name, args.action ?? ''].join(' ').trim());
      if (stdin !== undefined) this.inputs.push(stdin);
      return { code: 0, stdout: '', stderr: '', ...(this.answers.get(name) ?? usual)() };
    };
    const close = async () => {
      this.open -= 1;
    };
    return { host, run, close };
  }
}

describe('a bootstrap', () => {
  it('of droplets that are ready changes nothing', async () => {
    const droplets = new Droplets();
    const { rows, errors } = await droplets.bootstrap();
    expect(rows).toEqual(['web-1', 'web-2'].map((droplet) => ({ droplet, changes: [], left: [] })));
    expect({ errors, said: droplets.said, open: droplets.open }).toEqual({ errors: [], said: [], open: 0 });
    expect(droplets.ran).toEqual([
      'web-1 root cloud-init',
      'web-2 root cloud-init',
      'web-1 root bootstrap-settle',
      'web-2 root bootstrap-settle',
    ]);
  });

  it('does every action as root, says it before and after, and ends with a login of the user', async () => {
    const droplets = new Droplets();
    droplets.facts.set('web-1', [FRESH, READY]);
    droplets.answers.set('bootstrap-ready', () => ({ stdout: '26.1.5\n' }));
    const { rows, errors } = await droplets.bootstrap({ droplet: 'web-1' });
    expect(errors).toEqual([]);
    const actions = rows[0]?.changes.map(({ action }) => action) ?? [];
    expect(actions).toHaveLength(12);
    const changed = droplets.ran.filter((line) => line.startsWith('web-1 root bootstrap '));
    expect(changed).toEqual(actions.map((action) => `web-1 root bootstrap ${action}`));
    for (const action of new Set(actions)) {
      const own = droplets.said.filter((line) => line.startsWith(`web-1: ${action}: `));
      expect(own.map((line) => /…$/.test(line))).toEqual(own.map((_, index) => index % 2 === 0));
    }
    expect(droplets.ran.at(-1)).toBe('web-1 deploy bootstrap-ready');
    expect(droplets.said.at(-1)).toBe('web-1: deploy can log in, and use Docker 26.1.5');
    expect(droplets.inputs).toEqual([`${KEY}\n`]);
    expect(droplets.open).toBe(0);
  });

  it('with --check changes nothing, and waits for nothing', async () => {
    const droplets = new Droplets();
    droplets.facts.set('web-2', [OPEN]);
    const { rows } = await droplets.bootstrap({ check: true });
    expect(rows.map(({ changes }) => changes.map(({ action }) => action))).toEqual([[], ['sshd']]);
    expect(droplets.ran).toEqual([]);
  });

  it('takes back what an earlier run did not confirm before it reads, and says so', async () => {
    const droplets = new Droplets();
    droplets.answers.set('bootstrap-settle', () => ({ stdout: 'sshd\n' }));
    const { rows, errors } = await droplets.bootstrap({ droplet: 'web-1' });
    expect(errors).toEqual([]);
    expect(droplets.said).toEqual(['web-1: sshd: an earlier run did not confirm its change: it was taken back']);
    expect(rows[0]?.changes).toEqual([
      { action: 'sshd', change: 'take back what an earlier run did not confirm', files: [] },
    ]);
  });

  it('stops where that cannot be taken back', async () => {
    const droplets = new Droplets();
    droplets.facts.set('web-1', [OPEN, READY]);
    droplets.answers.set('bootstrap-settle', () => ({ code: 1, stderr: 'error: sshd cannot be taken back' }));
    const { errors } = await droplets.bootstrap({ droplet: 'web-1' });
    expect(errors).toEqual([expect.objectContaining({ code: 'bootstrap-failed' })]);
    expect(droplets.ran.at(-1)).toBe('web-1 root bootstrap-settle');
  });

  it('with --check shows that a change is about to be taken back, and leaves that to the droplet', async () => {
    const droplets = new Droplets();
    droplets.facts.set('web-1', [{ ...READY, system: [...(READY.system ?? []), 'pending sshd', 'pending reboot'] }]);
    const { rows } = await droplets.bootstrap({ check: true, droplet: 'web-1' });
    expect(rows[0]?.changes.map(({ action }) => action)).toEqual(['sshd']);
    expect(droplets.ran).toEqual([]);
  });

  it('is refused for a user that cannot be made, before any droplet is asked', async () => {
    const droplets = new Droplets();
    droplets.settings = { ssh: { address: 'public', user: 'Deploy,User' } };
    const error = await droplets.bootstrap().catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'bootstrap-refused', hint: expect.stringContaining('ssh.user') });
    expect(droplets.open).toBe(0);
  });

  it('fails where something is still to be done afterwards', async () => {
    const droplets = new Droplets();
    droplets.facts.set('web-1', [OPEN]);
    const { rows, errors } = await droplets.bootstrap();
    expect(rows.map(({ droplet }) => droplet)).toEqual(['web-2']);
    expect(errors).toEqual([
      expect.objectContaining({ code: 'bootstrap-failed', droplet: 'web-1', message: expect.stringContaining('sshd') }),
    ]);
    expect(errors[0]?.hint).toContain('do-deploy bootstrap production');
  });

  it('goes on with other droplets where one fails or cannot be reached', async () => {
    const droplets = new Droplets();
    droplets.facts.set('web-1', [OPEN, READY]);
    droplets.refused.add('web-2');
    const { rows, errors } = await droplets.bootstrap();
    expect(rows.map(({ droplet }) => droplet)).toEqual(['web-1']);
    expect(errors.map(({ code }) => code)).toEqual(['ssh-auth']);
  });

  it('stops at the first action that fails, with its last words', async () => {
    const droplets = new Droplets();
    droplets.facts.set('web-1', [FRESH, READY]);
    droplets.answers.set('bootstrap', () => ({ code: 100, stderr: 'Reading\nE: no space left on device\n' }));
    const { errors } = await droplets.bootstrap({ droplet: 'web-1' });
    expect(errors[0]).toMatchObject({
      code: 'bootstrap-failed',
      message: expect.stringContaining('no space left on device'),
    });
    expect(droplets.ran.filter((line) => line.includes(' bootstrap '))).toHaveLength(1);
  });
});

describe('what a firewall admits', () => {
  const sentences = async (own: object, balancer: object = {}) => {
    const droplets = new Droplets();
    const fresh = { ...READY, firewall: ['iptables /usr/sbin/iptables', 'network 10.108.0.5 10.108.0.0/20'] };
    droplets.facts.set('web-1', [fresh]).set('web-2', [fresh]);
    Object.assign(droplets.cloud.balancers[0] ?? {}, balancer);
    droplets.settings = own;
    const { rows, errors } = await droplets.bootstrap({ check: true });
    expect(errors).toEqual([]);
    return rows.map(({ droplet, changes }) => `${droplet}: ${changes.map(({ change }) => change)}`);
  };
  const VPC = 'admit only SSH and everything from 10.108.0.0/20';

  it('is the VPC, behind a balancer', async () => {
    expect(await sentences({})).toEqual([`web-1: ${VPC}`, `web-2: ${VPC}`]);
  });

  it('is everybody, for a single droplet', async () => {
    expect(await sentences({ target: { kind: 'droplet', id: 2 } })).toEqual([
      'web-2: admit only SSH, everything from 10.108.0.0/20 and published ports from everywhere',
    ]);
  });

  it('is, for each role, what its own target needs', async () => {
    const roles = [
      { name: 'web', target: { kind: 'load_balancer', ref: 'web' } },
      { name: 'worker', target: { kind: 'droplets', droplets: [2] } },
    ];
    expect(await sentences({ roles }, { type: 'REGIONAL_NETWORK', dropletIds: [1] })).toEqual([
      'web-1: admit only SSH, everything from 10.108.0.0/20 and port 80 from everywhere',
      `web-2: ${VPC}`,
    ]);
  });
});

const BY_HAND = expect.stringContaining('sh -eu /run/do-deploy/guard-sshd/undo');

describe('a change that may lock everybody out', () => {
  const ended = async (prepare: (droplets: Droplets) => void) => {
    const droplets = new Droplets();
    droplets.facts.set('web-1', [OPEN, READY]);
    prepare(droplets);
    const { errors } = await droplets.bootstrap({ droplet: 'web-1' });
    return { ran: droplets.ran.slice(2).map((line) => line.replace(/^web-1 /, '')), errors, open: droplets.open };
  };

  it('is kept after a second login as the user that deploys', async () => {
    const { ran, errors } = await ended(() => {});
    expect(errors).toEqual([]);
    expect(ran.slice(0, 2)).toEqual(['root bootstrap sshd', 'root bootstrap-keep sshd']);
  });

  it('is taken back over the first connection when the second login fails', async () => {
    const { ran, errors, open } = await ended(({ refused }) => refused.add('deploy'));
    expect(ran).toEqual(['root bootstrap sshd', 'root bootstrap-undo sshd']);
    expect(errors).toEqual([
      expect.objectContaining({
        code: 'bootstrap-undone',
        message: expect.stringContaining('accepted no key for deploy'),
      }),
    ]);
    expect(open).toBe(0);
  });

  it('that failed and could not be taken back says how to do that by hand', async () => {
    const { errors } = await ended(({ answers }) =>
      answers.set('bootstrap', () => ({ code: 1, stdout: 'stuck\n', stderr: 'iptables: no such chain\n' })),
    );
    expect(errors).toEqual([expect.objectContaining({ code: 'bootstrap-stuck', hint: BY_HAND })]);
  });

  it('is not said to be taken back where that failed', async () => {
    const { errors } = await ended(({ refused, answers }) => {
      refused.add('deploy');
      answers.set('bootstrap-undo', () => ({ code: 1, stderr: 'cp: no space left on device\n' }));
    });
    expect(errors).toEqual([
      expect.objectContaining({
        code: 'bootstrap-stuck',
        message: expect.stringMatching(/could not be taken back.*no space left.*second login as deploy failed/),
        hint: BY_HAND,
      }),
    ]);
  });

  it('is left to the droplet where the connection is lost meanwhile', async () => {
    const { errors } = await ended(({ refused, answers }) => {
      refused.add('deploy');
      answers.set('bootstrap-undo', () => {
        throw new ShellError('lost', 'unknown', 'The connection to web-1 was lost.');
      });
    });
    expect(errors).toEqual([
      expect.objectContaining({
        code: 'bootstrap-undone',
        message: expect.stringMatching(/second login as deploy failed.*the droplet itself takes the change back/),
        hint: expect.stringContaining('again'),
      }),
    ]);
  });

  it('counts as failed when the droplet has taken it back already', async () => {
    const { errors } = await ended(({ answers }) => answers.set('bootstrap-keep', () => ({ stdout: 'undone\n' })));
    expect(errors).toEqual([
      expect.objectContaining({ code: 'bootstrap-undone', hint: expect.stringContaining('again') }),
    ]);
  });
});

describe('a wait', () => {
  it.each([
    ['cloud-init', 'status: running\n', 'cloud-init did not end within 1 min.'],
    ['apt-lock', 'unattended-upgr\n', "unattended-upgr, which holds apt's lock, did not end within 1 min."],
  ])('for %s is said every 30 s, and bounded', async (command, stdout, message) => {
    const droplets = new Droplets();
    droplets.facts.set('web-1', [FRESH, READY]);
    droplets.answers.set(command, () => ({ stdout }));
    const started = droplets.clock.now();
    const { errors } = await droplets.bootstrap({ droplet: 'web-1' });
    expect(errors).toEqual([expect.objectContaining({ code: 'bootstrap-timeout', message })]);
    expect(droplets.said.filter((line) => line.includes('waiting for'))).toHaveLength(2);
    expect(droplets.clock.now() - started).toBe(60_000);
  });

  it('for cloud-init ends with it, also where it has failed', async () => {
    const droplets = new Droplets();
    const states = ['status: not run', 'status: running', 'status: error'];
    droplets.answers.set('cloud-init', () => ({ stdout: states.shift() ?? 'status: done' }));
    const { errors } = await droplets.bootstrap({ droplet: 'web-1' });
    expect(errors).toEqual([]);
    expect(droplets.said.at(-1)).toBe('web-1: cloud-init has ended with an error.');
  });
});

describe('keys that the project names', () => {
  it('are refused where a file holds no public key, before any droplet is asked', async () => {
    const droplets = new Droplets();
    const named = droplets.bootstrap({}, { authorizedKeys: [{ path: '/home/ann/.ssh/id_ed25519' }] });
    const error = await named.catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'bootstrap-refused', source: 'user' });
    expect(error.message).not.toContain('BEGIN');
    expect(droplets.ran).toEqual([]);
  });
});
