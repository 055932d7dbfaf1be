// npm run check:openapi -- FILE
//
// Checks every kind of request and answer of the sandbox's API against DigitalOcean's official description, given as FILE
// (the bundled YAML, which is not part of this project). Prints a line per kind and a count; exits with 1 on a mismatch.
import { ApiServer, ROUTES } from '../src/sandbox/api/server.ts';
import { World } from '../src/sandbox/world.ts';
import { Description } from './openapi/description.mjs';
import { exchanges } from './openapi/exchanges.mjs';

const file = process.argv[2];
if (!file) {
  process.stderr.write('Usage: npm run check:openapi -- FILE  (the official description, bundled YAML)\n');
  process.exit(2);
}
const description = new Description(file);
/** The statuses that each operation has answered. */
const shown = new Map(ROUTES.map(({ operation }) => [operation, new Set()]));
let checked = 0;
let failed = 0;

for (const route of ROUTES)
  report(`${route.operation} is described as ${route.method} ${route.path}`, routeProblems(route));
for (const exchange of exchanges(await startRegion())) await check(exchange);
for (const route of ROUTES) await checkCommonAnswers(route);
for (const route of ROUTES) report(`${route.operation} has returned every described status`, missingAnswers(route));
process.stdout.write(`${checked} kinds checked, ${failed} mismatched\n`);
process.exit(failed === 0 ? 0 : 1);

/** Checks path, method and scopes. */
function routeProblems(route) {
  const operation = description.operation(route.operation);
  if (!operation) return ['there is no such operation'];
  const problems = [];
  if (operation.path !== route.path || operation.method !== route.method) {
    problems.push(`it is ${operation.method} ${operation.path}`);
  }
  const [{ bearer_auth: scopes }] = operation.security;
  for (const scope of scopes) if (!route.scopes.includes(scope)) problems.push(`it requires the scope ${scope}`);
  const further = route.scopes.filter((scope) => !scopes.includes(scope));
  for (const scope of further) if (!operation.description.includes(scope)) problems.push(`${scope} is not described`);
  return problems;
}

function missingAnswers({ operation }) {
  const described = Object.keys(description.operation(operation).responses).filter((status) => status !== 'default');
  const missing = described.map(Number).filter((status) => !shown.get(operation).has(status));
  return missing.map((status) => `${status} is described, but was not returned`);
}

/** Starts a separate region for each exchange, so that exchanges do not affect each other. */
async function startRegion({ limits, faults = [], scopes, busy = false } = {}) {
  const world = new World({ timing: { busyMs: busy ? 60_000 : 0 } });
  const droplets = ['web-1', 'web-2', 'web-3'].map((name) => world.addDroplet({ name, tags: ['shared'] }).id);
  const [droplet, other, spare] = droplets;
  world.addDroplet({ name: 'pool-1', pool: 'pool' });
  const balancer = world.addBalancer({ name: 'web', dropletIds: [droplet, other] });
  const tagged = world.addBalancer({ name: 'tagged', tag: 'shared' });
  world.createTag('do-deploy:out:prod');
  world.addFirewall({ name: 'web', tags: ['shared'], dropletIds: [droplet] });
  world.registries.set('acme', 'b7d03a6947b217efb6f3ec3bd3504582');
  if (busy) world.removeFromBalancer(balancer.id, [other]);
  const api = await ApiServer.start({ world, tokens: [{ token: 'good', ...(scopes && { scopes }) }], limits });
  for (const fault of faults) api.faults.add(fault);
  return { api, balancer: balancer.id, tagged: tagged.id, droplet, spare, pool: world.pools[0].id };
}

async function check(exchange, settings = {}, label = '') {
  const region = await startRegion({ ...settings, busy: exchange.busy });
  const operation = description.operation(exchange.operation);
  const problems = [];
  const wrong = description.requestProblems(operation, exchange);
  if (exchange.refused && wrong.length === 0)
    problems.push('the request is refused here, but the description allows it');
  if (!exchange.refused) problems.push(...wrong.map((problem) => `request: ${problem}`));
  const answer = await send(region.api, operation, exchange);
  shown.get(exchange.operation).add(answer.status);
  if (answer.status !== exchange.status) problems.push(`answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  problems.push(...description.answerProblems(operation, answer));
  await region.api.stop();
  const input = [queryText(exchange.query), exchange.body && JSON.stringify(exchange.body)].filter(Boolean).join(' ');
  report(`${exchange.operation} ${exchange.status} ${label || input}`.trim(), problems);
}

/** Checks what every operation can answer: wrong token, missing scope, both rate limits, server errors. */
async function checkCommonAnswers({ operation }) {
  const region = await startRegion();
  await region.api.stop();
  const good = exchanges(region).find((one) => one.operation === operation && !one.refused && one.status < 300);
  if (!good) report(`${operation} has a successful answer`, ['none is among the exchanges']);
  const request = good ?? exchanges(region).find((one) => one.operation === operation);
  await check({ ...request, token: 'bad', status: 401 }, {}, 'wrong token');
  await check({ ...request, status: 403 }, { scopes: [] }, 'missing scope');
  await check({ ...request, status: 429 }, { limits: { perHour: 0, perMinute: 250 } }, 'hour used up');
  await check({ ...request, status: 429 }, { limits: { perHour: 5000, perMinute: 0 } }, 'minute used up');
  for (const status of [500, 503]) {
    await check({ ...request, status }, { faults: [{ on: {}, do: { status } }] }, 'fault');
  }
}

async function send(api, { method, path }, { params = {}, query = {}, body, token = 'good' }) {
  const filled = path.replace(/\{(\w+)\}/g, (_match, name) => encodeURIComponent(params[name]));
  const response = await fetch(`${api.url}${filled.slice('/v2'.length)}${queryText(query)}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? '' : JSON.parse(text) };
}

function queryText(query = {}) {
  const text = new URLSearchParams(query).toString();
  return text && `?${text}`;
}

function report(kind, problems) {
  checked += 1;
  if (problems.length > 0) failed += 1;
  process.stdout.write(`${problems.length === 0 ? 'ok      ' : 'MISMATCH'} ${kind}\n`);
  for (const problem of problems) process.stdout.write(`         ${problem}\n`);
}
