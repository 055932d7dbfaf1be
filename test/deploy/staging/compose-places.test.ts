import { expect, it } from 'vitest';
import { findPlace } from '../../../src/deploy/staging/compose-places.js';

const BASE = {
  path: 'compose/docker-compose.yml',
  text: `services:
  app:
    image: shop
    volumes:
      - uploads:/uploads
      - ./data:/data
      - type: bind
        source: ./x
        target: /x
secrets:
  db: { file: ../db.txt }
`,
};
const OVER = {
  path: 'compose/docker-compose.production.yml',
  text: 'services:\n  app:\n    volumes: [./logs:/logs:rw]\n',
};

it.each([
  [['services', 'app', 'volumes', '/data'], 'compose/docker-compose.yml:6'],
  [['services', 'app', 'volumes', '/x'], 'compose/docker-compose.yml:7'],
  [['services', 'app', 'volumes', '/logs'], 'compose/docker-compose.production.yml:3'],
  [['secrets', 'db', 'file'], 'compose/docker-compose.yml:11'],
  [['services', 'other', 'container_name'], undefined],
  [['services', 'app', 'image', 'deeper'], undefined],
])('%j is at %s', (keys, place) => {
  expect(findPlace([BASE, OVER], keys)).toBe(place);
});

it('prefers the last file that defines it, and survives files that are no YAML', () => {
  expect(findPlace([BASE, { ...BASE, path: 'later.yml' }], ['secrets', 'db'])).toBe('later.yml:11');
  expect(
    findPlace(
      [
        { path: 'a.yml', text: '{[' },
        { path: 'b.yml', text: '' },
      ],
      ['secrets'],
    ),
  ).toBeUndefined();
});
