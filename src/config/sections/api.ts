import { Secret } from '../secret.js';
import type { SectionContext } from '../section.js';
import { defineSection } from '../section.js';
import { text } from '../values.js';

const DEFAULT_URL = 'https://api.digitalocean.com/v2';

const apiUrl = text(
  'must be an https:// address (http:// only for this machine)',
  /^(https:\/\/\S+|http:\/\/(127\.0\.0\.1|localhost|\[::1\])([:/]\S*)?)$/,
).meta({
  description: "Address of DigitalOcean's API. The variable DIGITALOCEAN_API_URL overrides it.",
  default: DEFAULT_URL,
  examples: [DEFAULT_URL],
});

export const api = defineSection({
  keys: { api_url: apiUrl },
  resolve(written, context) {
    const token = readToken(context);
    return { token, apiUrl: resolveUrl(written.api_url, context) };
  },
});

function readToken({ variables, problems, hide }: SectionContext): Secret {
  const name = variables.get('DO_TOKEN') ? 'DO_TOKEN' : 'DIGITALOCEAN_ACCESS_TOKEN';
  const token = variables.get(name)?.trim();
  if (!token) {
    const remedy = `create one at https://cloud.digitalocean.com/account/api/tokens; then ${variables.howToSet('DO_TOKEN')}`;
    problems.add('DO_TOKEN', 'the token for the DigitalOcean API is not set', remedy);
  } else if (!/^[\x21-\x7e]+$/.test(token)) {
    const message = 'the token contains a space, a line break or another character that no token has';
    problems.add(name, message, 'copy it again');
  }
  const secret = new Secret(token ?? '');
  hide(secret);
  return secret;
}

/** Without a slash at the end: callers append /droplets and the like. */
function resolveUrl(written: string | undefined, { variables, problems }: SectionContext): string {
  const override = variables.get('DIGITALOCEAN_API_URL');
  const checked = apiUrl.optional().safeParse(override || undefined);
  if (!checked.success) {
    problems.add('DIGITALOCEAN_API_URL', checked.error.issues[0]?.message ?? '', `for example ${DEFAULT_URL}`);
  }
  return (checked.data ?? written ?? DEFAULT_URL).replace(/\/+$/, '');
}
