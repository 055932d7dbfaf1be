import { expect, it } from 'vitest';
import { type Situation, stepsOf } from '../../src/rollout/courses.js';

/** It fell sick after it was done, and has to leave. */
const SICK: Situation = {
  course: 'abandon',
  rotation: 'in',
  inLedger: true,
  touched: true,
  foundOut: false,
  examined: true,
  healthy: false,
  failure: { code: 'unhealthy', message: 'web exited 1', blame: 'release' },
};

it('a droplet whose mark could not be written is marked before it leaves', () => {
  const fleet = { balanced: true, isFleet: true };
  expect(stepsOf('abandon', SICK, fleet)).toEqual(['leave']);
  expect(stepsOf('abandon', { ...SICK, unmarked: true }, fleet)).toEqual(['mark-out', 'leave']);
  expect(stepsOf('abandon', { ...SICK, inLedger: false }, fleet)).toEqual(['mark-out', 'leave']);
});
