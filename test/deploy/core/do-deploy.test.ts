/** Commands to paste. */
import { expect, it } from 'vitest';
import { doDeploy } from '../../../src/deploy/core/do-deploy.js';
import { capacityFloor } from '../../../src/deploy/session/capacity-floor.js';
import { continueCommand } from '../../../src/deploy/session/continue-command.js';

const ofFile = { environment: 'eu', config: 'config/eu shop.yml' };
const RELEASE = { id: '20261121T074500Z-v2', imageTag: 'v2' };

it('name the configuration that the run was given, and no other', () => {
  expect(doDeploy({ environment: 'eu' }, 'heal')).toBe('do-deploy heal eu');
  expect(doDeploy({ environment: 'eu' }, 'deploy', 'v2', '--canary', '2')).toBe('do-deploy eu v2 --canary 2');
  expect(doDeploy(ofFile, 'heal')).toBe("do-deploy heal eu --config 'config/eu shop.yml'");
  expect(capacityFloor(1, 2, ofFile).hint).toContain("do-deploy status eu --config 'config/eu shop.yml'.");
});

it('that continue a rollout are for the same part of the fleet', () => {
  const asked = { ...ofFile, config: 'eu.yml', command: 'deploy' as const };
  expect(continueCommand({ ...asked, part: { canary: 2 } }, RELEASE)).toBe(
    'do-deploy eu v2 --canary 2 --config eu.yml',
  );
  expect(continueCommand({ ...asked, part: { droplets: ['web-1', 'web 2'] } }, RELEASE, '--skip-unreachable')).toBe(
    "do-deploy eu v2 --droplets 'web-1,web 2' --skip-unreachable --config eu.yml",
  );
  expect(continueCommand({ ...asked, ends: 'promote' }, RELEASE)).toBe('do-deploy promote eu --config eu.yml');
  expect(continueCommand({ ...asked, command: 'rollback' }, RELEASE)).toBe(
    `do-deploy rollback eu ${RELEASE.id} --config eu.yml`,
  );
});
