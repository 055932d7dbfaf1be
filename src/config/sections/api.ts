import { Secret } from '../secret.js';
import type { SectionContext } from '../section.js';
import { defineSection } from '../section.js';
import { text } from '../values.js';
import { reportVariable } from '../variables.js';

const DEFAULT_URL = 'https://api.digitalocean.com/v2';

const SCHEME = 'must be an https:// address (http:// only for this machine)';
const PLAIN = 'must not contain a user name, a query or a fragment';
const THIS_MACHINE = /^(localhost|127(\.\d+){3}|\[::1\])$/;

const apiUrl = text(SCHEME, /^(https:\/\/[^\s\\]+|http:\/\/(127\.0\.0\.1|localhost|\[::1\])([:/][^\s\\]*)?)$/)
  .meta({
    description: "Address of DigitalOcean's API. The variable DIGITALOCEAN_API_URL overrides it.",
    default: DEFAULT_URL,
    examples: [DEFAULT_URL],
  })
  // An @ also where nothing stands before it: programs disagree on which host is meant.
  .refine((value) => !/[@?#]/.test(value), { error: PLAIN, abort: true })
  .refine(isHttpsOrHere, { error: SCHEME, abort: true })
  // As the parser writes it, so that every later reader finds the same host; callers append /droplets and the like.
  .transform((value) => new URL(value).href.replace(/\/+$/, ''));

function isHttpsOrHere(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname } = new URL(value);
  return protocol === 'https:' || THIS_MACHINE.test(hostname);
}

export const api = defineSection({
  keys: { api_url: apiUrl },
  resolve: (written, context) => readApi(written.api_url, context),
});

type Reading = Pick<SectionContext, 'variables' | 'problems' | 'hide'>;

/** @param url from the file, if it has one */
export function readApi(
  url: string | undefined,
  context: Reading,
): { token: Secret; tokenPlace?: string; apiUrl: string } {
  const { token, place } = readToken(context);
  return { token, tokenPlace: place, apiUrl: resolveUrl(url, context) };
}

function readToken({ variables, problems, hide }: Reading): { token: Secret; place?: string } {
  const name = variables.get('DO_TOKEN') ? 'DO_TOKEN' : 'DIGITALOCEAN_ACCESS_TOKEN';
  const token = variables.get(name)?.trim();
  if (!token) {
    const place = variables.placeOf('DO_TOKEN');
    const page = 'https://cloud.digitalocean.com/account/api/tokens';
    if (place === 'DO_TOKEN') {
      const remedy = `create one at ${page}; then ${variables.howToSet('DO_TOKEN')}`;
      problems.add(place, 'the token for the DigitalOcean API is not set', remedy);
    } else {
      problems.add(place, 'DO_TOKEN is empty', `create a token at ${page}, and write it there`);
    }
  } else if (!/^[\x21-\x7e]+$/.test(token)) {
    const message = 'contains a space, a line break or another character that no token has';
    reportVariable(variables, problems, { name, message, remedy: 'copy it again' });
  }
  const secret = new Secret(token ?? '');
  hide(secret);
  const place = variables.placeOf(name);
  return { token: secret, ...(place !== name && { place: `${name} in ${place}` }) };
}

function resolveUrl(written: string | undefined, { variables, problems }: Reading): string {
  const name = 'DIGITALOCEAN_API_URL';
  const checked = apiUrl.optional().safeParse(variables.get(name) || undefined);
  if (!checked.success) {
    const message = checked.error.issues[0]?.message ?? SCHEME;
    reportVariable(variables, problems, { name, message, remedy: `for example ${DEFAULT_URL}` });
  }
  return checked.data ?? written ?? DEFAULT_URL;
}
