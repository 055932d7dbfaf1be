import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { listenForSignals } from '../../src/cli/signals.js';
import type { Clock } from '../../src/ports.js';

function setUp() {
  const process = new EventEmitter();
  let now = 0;
  const clock: Clock = { now: () => now, sleep: async () => {} };
  const signals = listenForSignals(process, clock);
  const state = () => [signals.interrupted.aborted, signals.aborted.aborted];
  const later = (ms: number) => {
    now += ms;
  };
  return { process, signals, state, later };
}

describe('a signal', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'])('%s interrupts, and a second one aborts', (signal) => {
    const { process, signals, state, later } = setUp();
    expect(state()).toEqual([false, false]);
    process.emit(signal, signal);
    expect(state()).toEqual([true, false]);
    expect(signals.interrupted.reason).toBe(signal);
    later(5000);
    process.emit('SIGTERM', 'SIGTERM');
    expect(state()).toEqual([true, true]);
    expect(signals.aborted.reason).toBe('SIGTERM');
  });

  it('that npm passes on a second time counts once', () => {
    const { process, state, later } = setUp();
    process.emit('SIGINT', 'SIGINT');
    later(900);
    process.emit('SIGINT', 'SIGINT');
    expect(state()).toEqual([true, false]);
    later(100);
    process.emit('SIGINT', 'SIGINT');
    expect(state()).toEqual([true, true]);
  });

  it('has its default effect again after the second, and after dispose', () => {
    const { process, signals, later } = setUp();
    process.emit('SIGINT', 'SIGINT');
    later(5000);
    process.emit('SIGINT', 'SIGINT');
    expect(process.eventNames()).toEqual([]);

    const another = setUp();
    another.signals.dispose();
    expect(another.process.eventNames()).toEqual([]);
    expect(signals.aborted.aborted).toBe(true);
  });
});
