import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseTraffic, trafficCommand, watchedPorts } from '../../../src/deploy/drain/traffic-command.js';
import type { ContainerView } from '../../../src/rollout/health.js';

describe('the watched ports', () => {
  const container = (overrides: Partial<ContainerView>) =>
    ({ state: 'running', pid: 7, hostNetwork: false, ports: [], ...overrides }) as ContainerView;

  it('are those that running containers publish for the balancer', () => {
    const containers = [
      container({
        ports: [
          { host: 80, container: 8080 },
          { host: 5432, container: 5432 },
        ],
      }),
      container({ state: 'exited', ports: [{ host: 80, container: 80 }] }),
    ];
    expect(watchedPorts(containers, [80, 443])).toEqual([{ host: 80, container: 8080, pid: 7 }]);
  });

  it('are the balancer’s own on the host’s network', () => {
    expect(watchedPorts([container({ hostNetwork: true })], [80])).toEqual([{ host: 80, container: 80, pid: 7 }]);
  });

  it('show whether the container can be reached another way', () => {
    const ports = [
      { host: 80, container: 8080 },
      { host: 9090, container: 8080 },
    ];
    expect(watchedPorts([container({ ports })], [80])).toEqual([
      { host: 80, container: 8080, pid: 7, otherWays: true },
    ]);
    expect(watchedPorts([container({ ports })], [80, 9090]).map(({ otherWays }) => otherWays)).toEqual([
      undefined,
      undefined,
    ]);
  });
});

describe('a reading', () => {
  const ports = [{ host: 80, container: 8080, pid: 7 }];

  it('asks for the container’s port in the kernel’s hexadecimal, and changes nothing', () => {
    const { script, repeatable } = trafficCommand(ports, true);
    expect(script).toContain('/proc/7/net/tcp');
    expect(script).toContain('1F90');
    expect(script).not.toMatch(/iptables[^|]* -[ADIFRXZ]\b/);
    expect(repeatable).toBe(true);
  });

  it('adds up the rules of its ports, and tells those of the health check apart', () => {
    const two = [...ports, { host: 81, container: 8081, pid: 7 }];
    const said = 'rule 80 12\nrule 81 5\nrule 5432 99\nstranger 1F90 A\nstranger 1F91 B\nopen 3\nopen 1\n';
    expect(parseTraffic(said, two, 81)).toEqual({
      all: { count: 17, strangers: new Set(['stranger 1F90 A', 'stranger 1F91 B']) },
      checks: { count: 5, strangers: new Set(['stranger 1F91 B']) },
      open: 4,
    });
    expect(parseTraffic('rule 80 12\n', two, 9_000).checks, 'the check goes elsewhere').toBeUndefined();
  });

  it('knows the difference between nothing and not readable', () => {
    expect(parseTraffic('', ports, 80)).toEqual({});
    expect(parseTraffic('open 0\n', ports, 80).open).toBe(0);
  });

  it('leaves strangers out who may have come another way', () => {
    const said = 'rule 80 1\nstranger 1F90 057100CB:C350\n';
    const strangers = (all: typeof ports) => parseTraffic(said, all, 80).all?.strangers.size;
    expect([strangers(ports), strangers(ports.map((port) => ({ ...port, otherWays: true })))]).toEqual([1, 0]);
  });
});

describe('the program that reads socket tables', () => {
  const folder = mkdtempSync(join(tmpdir(), 'traffic-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const HEADER = '  sl  local_address rem_address   st\n';
  const row = (local: string, remote: string, state: string) => `   0: ${local} ${remote} ${state} 00000000:00000000\n`;

  /** What the script prints for a container with this table, on a droplet without iptables. */
  const readWith = (table: string, overVpc: boolean) => {
    writeFileSync(join(folder, 'tcp'), table);
    const { script } = trafficCommand([{ host: 80, container: 8080, pid: 7 }], overVpc);
    const here = script.replaceAll('/proc/7/net/', `${folder}/`).replace('as_root="sudo -n"', 'as_root=false');
    return spawnSync('sh', ['-c', `iptables() { return 1; }\n${here}`], { encoding: 'utf8' }).stdout;
  };

  const TABLE = [
    HEADER,
    row('0100000A:1F90', '00000000:0000', '0A'), // listening
    row('0100000A:1F90', '0101600A:C352', '01'), // 10.96.1.1, open
    row('0100000A:1F90', '0101600A:C353', '06'), // ended
    row('0100000A:0050', '0101600A:C354', '01'), // another port
    row('0100000A:1F90', '0100007F:C355', '01'), // loopback
    row('0100000A:1F90', '057100CB:C350', '01'), // 203.0.113.5
    row(`${'0'.repeat(16)}FFFF00000100000A:1F90`, `${'0'.repeat(16)}FFFF0000057100CB:C351`, '06'),
    row('0100000A:1F90', '0A01A8C0:C356', '01'), // 192.168.1.10
    row('0100000A:1F90', '010011AC:C357', '01'), // 172.17.0.1
  ].join('');

  it('counts open connections, and names peers with a public address where the balancer connects over the VPC', () => {
    expect(readWith(TABLE, true).trim().split('\n')).toEqual([
      'stranger 1F90 057100CB:C350',
      `stranger 1F90 ${'0'.repeat(16)}FFFF0000057100CB:C351`,
      'open 3',
    ]);
  });

  it('knows no strangers where anybody may be the balancer', () => {
    expect(readWith(TABLE, false)).toBe('open 4\n');
  });

  it('says that nothing is open, and nothing where it cannot read', () => {
    expect(readWith(HEADER, true)).toBe('open 0\n');
    expect(readWith('', true)).toBe('');
  });
});
