import { expect, it } from 'vitest';
import { type BatchSize, batchCount, batchSize, capacityFloor } from '../../src/rollout/batches.js';

it.each<[BatchSize[], number, number, number]>([
  [[1], 0, 10, 1],
  [[3], 0, 2, 2],
  [['25%'], 0, 10, 2],
  [['25%'], 0, 3, 1],
  [['100%'], 0, 7, 7],
  [['all'], 4, 7, 7],
  [[1, 5, '20%'], 0, 50, 1],
  [[1, 5, '20%'], 1, 50, 5],
  [[1, 5, '20%'], 7, 50, 10],
])('batch %j number %i of %i droplets holds %i', (sizes, batch, fleet, expected) => {
  expect(batchSize(sizes, batch, fleet)).toBe(expected);
});

it.each([
  [undefined, 3, 1, 2],
  [undefined, 3, 3, 1],
  [undefined, 1, 1, 1],
  [2, 10, 5, 2],
  [0, 1, 1, 0],
])('with min_in_rotation %s, of %i droplets in batches of %i at least %i serve', (min, fleet, batch, expected) => {
  expect(capacityFloor(min, fleet, batch)).toBe(expected);
});

it.each<[BatchSize[], number, number]>([
  [[1], 6, 6],
  [['all'], 6, 1],
  [['25%'], 10, 5],
  [[1, 5, '20%'], 50, 7],
  [[1], 0, 0],
])('in batches of %j a rollout over %i droplets takes %i', (sizes, fleet, expected) => {
  expect(batchCount(sizes, fleet)).toBe(expected);
});
