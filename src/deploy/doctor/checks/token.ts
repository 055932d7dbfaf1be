import type { Facts } from '../facts.js';
import type { Found } from '../found.js';

const TOKENS_PAGE = 'https://cloud.digitalocean.com/account/api/tokens';

export function checkToken({ missingScopes }: Facts): Found[] {
  return missingScopes.map((scope) => ({
    name: 'scope-missing',
    message: `The token lacks the scope ${scope}.`,
    fix: `Create a token that has it at ${TOKENS_PAGE}, and set DO_TOKEN.`,
  }));
}
