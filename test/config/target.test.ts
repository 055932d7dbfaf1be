/** Where an environment's droplets come from. */
import { describe, expect, it } from 'vitest';
import { COMPOSE, createProject, load, problemsIn } from './project-folder.js';

const yaml = (target: string) => `app: shop\nenvironments:\n  test: ${target}\n`;

async function targetOf(target: string, env: Record<string, string> = {}) {
  return (await load(createProject({ ...COMPOSE, 'config/deploy.yml': yaml(target) }), { env })).target;
}

describe('a fleet without a balancer', () => {
  it('is a tag, or a list of ids and names', async () => {
    expect(await targetOf('{ tag: workers }')).toEqual({ kind: 'tag', tag: 'workers' });
    expect(await targetOf('{ tag: $TAG }', { TAG: 'workers' })).toEqual({ kind: 'tag', tag: 'workers' });
    expect(await targetOf('{ droplets: [101, 102, 101] }')).toEqual({ kind: 'droplets', droplets: [101, 102] });
    expect(await targetOf('{ droplets: ["101", worker-2, $THIRD] }', { THIRD: '103' })).toEqual({
      kind: 'droplets',
      droplets: [101, 'worker-2', 103],
    });
  });

  const at = 'config/deploy.yml:3: environments.test';
  const own =
    'tag must not begin with `do-deploy:`, as the tags do that do-deploy keeps its records in; write `tag: workers`';
  const list = 'write `droplets: [3164494, 3164495]`';
  it.each([
    ['{ tag: "do-deploy:out:shop:test" }', `${at}.${own}`],
    ['{ tag: "DO-deploy:release:shop:test:1:abc" }', `${at}.${own}`],
    [
      '{ tag: "two words" }',
      `${at}.tag must be the name of a DigitalOcean tag: letters a-z, digits and : _ -; write \`tag: workers\``,
    ],
    ['{ droplets: [] }', `${at}.droplets must be a list of droplets' ids or names; ${list}`],
    ['{ droplets: 101 }', `${at}.droplets must be a list of droplets' ids or names; ${list}`],
    [
      '{ droplets: [0] }',
      `${at}.droplets[0] must be a droplet's id, or its name: letters a-z, digits and . -; ${list}`,
    ],
    ['{ droplets: [1], droplet: 2 }', `${at} has both droplet and droplets; keep one of the two`],
    ['{ tag: workers, load_balancer: web }', `${at} has both load_balancer and tag; keep one of the two`],
  ])('%s is a problem', async (target, problem) => {
    expect(await problemsIn(yaml(target))).toEqual([problem]);
  });
});
