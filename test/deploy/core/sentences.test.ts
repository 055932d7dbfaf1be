import { expect, it } from 'vitest';
import { causeSentence, withStop } from '../../../src/deploy/core/sentences.js';

it('a cause begins like a sentence, and a service keeps its name', () => {
  expect(causeSentence('app is unhealthy', ['app', 'web'])).toBe('Service app is unhealthy.');
  expect(causeSentence('apparmor refused it.', ['app'])).toBe('Apparmor refused it.');
});

it('a sentence has one full stop', () => {
  expect(withStop('exit code 1: no')).toBe('exit code 1: no.');
  expect(withStop('exit code 1.')).toBe('exit code 1.');
});
