import { describe, expect, it } from 'vitest';
import { diagnose } from '../../src/rollout/diagnosis.js';
import { RULES } from '../../src/rollout/diagnosis-rules.js';
import { KNOWN_FAILURES } from './known-failures.js';

describe('a known failure has one sentence with its cause', () => {
  it.each(KNOWN_FAILURES)('$what', ({ name, findings, sentence }) => {
    const found = diagnose(findings);
    expect(found).toMatchObject({ name, sentence });
    expect(found?.remedy).toMatch(/\S{2,}/);
  });

  it('and each rule has a failure that it finds', () => {
    const found = new Set(KNOWN_FAILURES.map(({ name }) => name));
    expect(RULES.map(({ name }) => name).filter((name) => !found.has(name))).toEqual([]);
  });
});

describe('no cause is made up', () => {
  const [first] = KNOWN_FAILURES;
  const quiet = { ...first?.findings, code: 'health-timeout', failure: 'Not healthy within 60 s: app starting.' };

  it('where nothing shows', () => {
    const container = { service: 'app', state: 'running', exitCode: 0, oomKilled: false, restarts: 0, ports: [] };
    const findings = { droplet: 'web-2', login: 'ssh web-2', code: quiet.code, failure: quiet.failure };
    expect(
      diagnose({ ...findings, containers: [{ ...container, log: ['ready', 'GET /healthz 200'] }] }),
    ).toBeUndefined();
    expect(diagnose({ ...findings, containers: [] })).toBeUndefined();
  });

  it('from what a running container once logged', () => {
    const log = [
      "Error: EACCES: permission denied, open '/tmp/x'",
      "KeyError: 'SECRET_KEY'",
      'dial tcp 10.0.0.5:5432: connect: connection refused',
    ];
    const container = { service: 'app', state: 'running', exitCode: 0, oomKilled: false, restarts: 0, ports: [], log };
    const findings = { droplet: 'web-2', login: 'ssh web-2', code: quiet.code, failure: quiet.failure };
    expect(diagnose({ ...findings, containers: [container] })).toBeUndefined();
  });
});
