import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { NETWORKS, networkOf } from '../../../src/deploy/bootstrap/network.js';

it.each([
  ['10.108.0.5', ['10.108.0.5 10.108.0.0/20'], '10.108.0.0/20'],
  ['10.108.31.5', ['203.0.113.1 203.0.113.0/24', '10.108.31.5 10.108.16.0/20'], '10.108.16.0/20'],
  // Another address that begins like it.
  ['10.0.0.1', ['10.0.0.11 10.0.0.0/8'], undefined],
  ['10.0.0.1', ['10.0.0.1 10.0.0.1/32'], undefined],
  ['10.0.0.1', ['10.0.0.1 10.0.0.2'], undefined],
  ['10.0.0.1', ['10.0.0.1 0.0.0.0/0'], undefined],
  ['10.0.0.1', ['10.0.0.1 10.0.0.0/20; reboot'], undefined],
  [undefined, ['10.0.0.1 10.0.0.0/20'], undefined],
])('the network of %s in %j is %s', (address, shown, network) => {
  expect(networkOf(address, shown)).toBe(network);
});

it('networks are read from what ip shows, and nothing else of it', () => {
  const routes = [
    '10.108.0.0/20 dev eth1 proto kernel src 10.108.0.5 ',
    '172.17.0.0/16 dev docker0 proto kernel src 172.17.0.1 linkdown ',
    '169.254.169.254 dev eth0 ',
    '192.0.2.0/24 dev tun0 proto static metric 5 ',
  ];
  const ip = `ip() { printf '%s\\n' ${routes.map((route) => `'${route}'`).join(' ')}; }`;
  const { stdout } = spawnSync('sh', ['-c', `${ip}\n${NETWORKS}`], { encoding: 'utf8' });
  expect(stdout).toBe('network 10.108.0.5 10.108.0.0/20\nnetwork 172.17.0.1 172.17.0.0/16\n');
});
