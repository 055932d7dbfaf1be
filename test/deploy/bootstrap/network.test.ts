import { expect, it } from 'vitest';
import { networkOf } from '../../../src/deploy/bootstrap/network.js';

it.each([
  ['10.108.0.5', ['10.108.0.5/20'], '10.108.0.0/20'],
  ['10.108.31.5', ['203.0.113.1/24', '10.108.31.5/20'], '10.108.16.0/20'],
  ['192.168.255.200', ['192.168.255.200/25'], '192.168.255.128/25'],
  // Another address that begins like it.
  ['10.0.0.1', ['10.0.0.11/8'], undefined],
  ['10.0.0.1', ['10.0.0.1/32'], undefined],
  ['10.0.0.1', ['10.0.0.1/0'], undefined],
  ['10.0.0.1', ['10.0.0.1/20; reboot'], undefined],
  [undefined, ['10.0.0.1/20'], undefined],
])('the network of %s in %j is %s', (address, shown, network) => {
  expect(networkOf(address, shown)).toBe(network);
});
