/** Values of env files that are no secrets: masked, they would make every log unreadable. Everything else is masked. */

/** Parts of a name that make any value a secret. */
const SECRET_WORDS = new Set(
  `APIKEY AUTH COOKIE CREDENTIAL CREDENTIALS CREDS DSN JWT KEY KEYS OTP PASS PASSPHRASE PASSWD PASSWORD PASSWORDS PIN PRIVATE
  PSK PW PWD SALT SECRET SECRETS SIGNATURE SIGNING TOKEN TOKENS WEBHOOK`.split(/\s+/),
);

/** Names of plain settings. */
const PLAIN_NAMES = new Set(
  `APP APP_ENV APP_NAME BIND COMPOSE_PROJECT_NAME DEBUG DEPLOY_ENV DOCKER_USERNAME ENV ENVIRONMENT HOME HOST HOSTNAME IMAGE_TAG
  LANG LANGUAGE LC_ALL LISTEN LOAD_BALANCER LOG_FORMAT LOG_LEVEL LOGLEVEL NODE_ENV PATH PORT RACK_ENV RAILS_ENV REGION TERM
  TIMEZONE TZ VERSION`.split(/\s+/),
);

/** Endings of names whose values are addresses or numbers, as long as they look like it. */
const PLAIN_ENDINGS = new Set(
  'COUNT ENDPOINT HOST HOSTNAME INTERVAL LEVEL LIMIT MAX MIN PORT REGION RETRIES SIZE THREADS TIMEOUT TTL WORKERS'.split(
    ' ',
  ),
);

/** Endings of names whose values are container images or their registries, as long as they look like it. */
const IMAGE_ENDINGS = new Set(['IMAGE', 'REGISTRY', 'REPO', 'REPOSITORY']);

const PLAIN_WORDS = new Set(
  `admin all always app auto cache client console daily db debug default deny dev development disable disabled docker
  enable enabled error fatal file guest hourly http https info internal json lax live local localhost main master memory
  mongodb mysql never nginx none null off postgres postgresql prefer preprod preview private production public redis require
  required root s3 server silent smtp sqlite sqlite3 ssl staging standard stderr stdout strict system test testing text
  trace true false undefined user utf-8 utf8 verbose warn warning web worker www`.split(/\s+/),
);

const SWITCHES = /^(true|false|yes|no|on|off|null|none|undefined|enabled?|disabled?)$/i;
/** At most five digits, with a unit perhaps: ports, limits, durations, versions. */
const SMALL_NUMBER = /^[-+]?\d{1,5}([.:]\d{1,5}){0,3} ?([kmgt]?i?b|[kmg]|ms|s|m|h|d|%)?$/i;
const ADDRESS = /^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?(:\d{1,5})?$/i;
/** An address of a web site and nothing else: no user, no path, no query. */
const ORIGIN = /^[a-z][a-z0-9+]*:\/\/[a-z0-9.-]+(:\d{1,5})?\/?$/i;

/** `registry.example.com:5000/shop/app:v1@sha256:…`; no user, no scheme. */
const IMAGE = /^[a-z0-9][a-z0-9._/-]*(:[\w.-]+)?(\/[a-z0-9._/-]+)?(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$/i;

export function isHarmless(name: string, value: string): boolean {
  if (SWITCHES.test(value)) return true;
  const words = wordsOf(name);
  const last = words.at(-1) ?? '';
  // Of SESSION_TOKEN_TTL only the ending counts.
  const isPlainEnding = PLAIN_ENDINGS.has(last) && SMALL_NUMBER.test(value);
  if (words.some(isSecretWord)) return isPlainEnding;
  if (SMALL_NUMBER.test(value) || PLAIN_WORDS.has(value.toLowerCase()) || ORIGIN.test(value)) return true;
  if (PLAIN_NAMES.has(name.toUpperCase())) return !/:\/\/|@|-----BEGIN|\n/.test(value);
  if (last === 'ID') return /^\d{1,12}$/.test(value);
  if (IMAGE_ENDINGS.has(last)) return IMAGE.test(value) && isSpoken(value.replace(/@sha256:.*$/, ''));
  return PLAIN_ENDINGS.has(last) && ADDRESS.test(value) && isSpoken(value);
}

/** Of a variable of this process: whether its name says that it holds a secret. The agent's socket is none. */
export function namesSecret(name: string): boolean {
  if (name === 'SSH_AUTH_SOCK') return false;
  return wordsOf(name).some((word) => isSecretWord(word) || MORE_WORDS.has(word));
}

/** In names of CI systems' variables. */
const MORE_WORDS: ReadonlySet<string> = new Set(['PAT', 'SK', 'BEARER']);

function isSecretWord(word: string): boolean {
  return SECRET_WORDS.has(word) || /PASSWORD|SECRET|TOKEN|APIKEY/.test(word);
}

/** `dbPassword` and `DB_PASSWORD` alike. */
function wordsOf(name: string): string[] {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toUpperCase()
    .split(/[^A-Z0-9]+/)
    .filter((word) => word !== '');
}

/** Names of hosts are of words; a long run of letters and digits is a key. */
function isSpoken(address: string): boolean {
  return address.split(/[./:_-]/).every((part) => part.length < 16 || /^[a-z]+$/.test(part));
}
