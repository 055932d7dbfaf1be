import { describe, expect, it } from 'vitest';
import { mostCommonBy } from '../../../src/deploy/staging/most-common.js';

describe('what droplets answer', () => {
  const answer = (droplet: string, image: string) => ({ droplet, images: [['app', image]] });
  const agreed = (...answers: ReturnType<typeof answer>[]) => mostCommonBy(answers, ({ images }) => images)?.droplet;

  it('is what most of them say, whichever is asked first', () => {
    expect(
      agreed(answer('web-1', 'evil@sha256:1'), answer('web-2', 'shop@sha256:2'), answer('web-3', 'shop@sha256:2')),
    ).toBe('web-2');
  });

  it('is what the first says where two disagree, and nothing where there are none', () => {
    expect(agreed(answer('web-1', 'a'), answer('web-2', 'b'))).toBe('web-1');
    expect(agreed()).toBeUndefined();
  });
});
