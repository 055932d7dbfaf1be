/** A run in which every word that comes from outside is an attack on the page that shows it. */
import type { DeployEvent } from '../../src/rollout/model.js';
import { scriptedRollout } from './scripted-events.js';

export const ATTACKS = [
  '</title><script>document.body.innerHTML="taken"</script>',
  ']]><svg onload="document.body.innerHTML=1">',
  `"' onmouseover='alert(1)' x="`,
  '\u202etxt.exe\u202c \u2067abc\u2069 \u200f\u061c',
  '</pre></style><img src=https://evil.example/x onerror=alert(1)>',
  '&lt;b&gt; {{7*7}} <!-- `\u0000\u001b[31m',
];

/** Its words are those of the droplets, DigitalOcean and Docker, and of a project. */
const WORDS = [
  'name',
  'address',
  'health',
  'message',
  'cause',
  'detail',
  'hint',
  'target',
  'summary',
  'service',
  'next',
];
const LISTS = ['log', 'healthOutput', 'resources'];

export function hostileRun(): DeployEvent[] {
  let turn = 0;
  const attack = (text: string) => {
    turn += 1;
    return `${text}${ATTACKS[turn % ATTACKS.length]}`;
  };
  const names = new Map<string, string>();
  const nameOf = (name: string) => {
    const known = names.get(name) ?? `${name}${ATTACKS[names.size % ATTACKS.length]}`;
    names.set(name, known);
    return known;
  };
  const spoil = (value: unknown, key = ''): unknown => {
    if (typeof value === 'string') {
      if (key === 'name' || key === 'droplet') return nameOf(value);
      return WORDS.includes(key) || LISTS.includes(key) ? attack(value) : value;
    }
    if (Array.isArray(value)) return value.map((one) => (key === 'droplets' ? nameOf(String(one)) : spoil(one, key)));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([own, inner]) => [own, spoil(inner, own)]));
  };
  return scriptedRollout(7, 6).map((event) => spoil(event) as DeployEvent);
}
