import { describe, expect, it } from 'vitest';
import { exitCodeOfError, exitCodeOfResult } from '../../src/cli/exit-codes.js';
import { CloudError, DeployError, type ErrorInfo } from '../../src/errors.js';
import type { DeployResult } from '../../src/rollout/model.js';

function resultOf(outcome: DeployResult['outcome'], error?: Partial<ErrorInfo>): DeployResult {
  const info: ErrorInfo = { code: 'unhealthy', message: '', source: 'external', ...error };
  return {
    outcome,
    release: { id: '', imageTag: '' },
    rows: [],
    durationMs: 0,
    summary: '',
    ...(error && { error: info }),
  };
}

describe('the exit code', () => {
  it.each([
    [resultOf('succeeded'), 0],
    [resultOf('skipped'), 0],
    [resultOf('failed'), 1],
    [resultOf('failed', { source: 'external' }), 1],
    [resultOf('failed', { source: 'bug' }), 1],
    [resultOf('failed', { source: 'user' }), 2],
    [resultOf('failed', { code: 'lease-held' }), 3],
    [resultOf('failed', { source: 'user', code: 'not-confirmed' }), 130],
    [resultOf('failed', { source: 'external', code: 'not-confirmed' }), 1],
    [resultOf('interrupted'), 130],
    [resultOf('interrupted', { source: 'user', code: 'interrupted' }), 130],
  ])('of %j is %i', (result, code) => {
    expect(exitCodeOfResult(result)).toBe(code);
  });

  it.each([
    [new DeployError('usage', '', { source: 'user' }), 2],
    [new DeployError('lease-held', ''), 3],
    [new DeployError('interrupted', '', { source: 'user' }), 130],
    [new CloudError('server', 'unknown', ''), 1],
  ])('of %s is %i', (error, code) => {
    expect(exitCodeOfError(error)).toBe(code);
  });
});
