/** The options of an ssh configuration that do-deploy follows, read from the lines that apply to a host. */
import type { Setting } from './client-config.js';
import { ConfigProblem } from './config-lines.js';
import { matchesPatterns } from './patterns.js';

/** Of each option the first value, of IdentityFile and CertificateFile all. Paths and tokens are not expanded. */
export interface HostOptions {
  hostName?: string;
  port?: number;
  user?: string;
  identityFiles: string[];
  identitiesOnly?: boolean;
  /** `none`, `SSH_AUTH_SOCK`, `$NAME` or a path. */
  identityAgent?: string;
  certificateFiles: string[];
  /** ProxyJump and ProxyCommand exclude each other: whichever comes first. */
  proxy?: { jump: string } | { command: string; place: string };
  userKnownHostsFiles?: string[];
  globalKnownHostsFiles?: string[];
  hostKeyAlias?: string;
  strictHostKeyChecking?: { value: 'yes' | 'no' | 'ask' | 'accept-new'; place: string };
  hashKnownHosts?: boolean;
  /** Files of revoked host keys, as written. */
  revokedHostKeys?: string;
  hostKeyAlgorithms?: string;
  pubkeyAcceptedAlgorithms?: string;
  macs?: string;
  kexAlgorithms?: string;
  ciphers?: string;
  connectTimeoutSeconds?: number;
  addressFamily?: 4 | 6;
  bindAddress?: string;
}

/** Options that change who is trusted, or how a host is reached: a value that is not followed must not go unnoticed. */
const REFUSED: Record<string, { unless: RegExp; wayOut: string }> = {
  canonicalizehostname: { unless: /^(no|false|none)$/i, wayOut: 'Write whole host names, and CanonicalizeHostname no' },
  bindinterface: { unless: /^none$/i, wayOut: 'Name the address instead: BindAddress' },
  knownhostscommand: { unless: /^none$/i, wayOut: 'Write the keys into a file, and KnownHostsCommand none' },
  pkcs11provider: {
    unless: /^none$/i,
    wayOut: 'Load the key into ssh-agent (ssh-add -s PROVIDER), and write PKCS11Provider none',
  },
  proxyusefdpass: {
    unless: /^(no|false)$/i,
    wayOut: 'Use a ProxyCommand that copies data itself, and ProxyUseFdpass no',
  },
  pubkeyauthentication: {
    unless: /^(yes|true|unbound|host-bound)$/i,
    wayOut: 'do-deploy logs in by key only: PubkeyAuthentication yes',
  },
  preferredauthentications: { unless: /(^|,)publickey(,|$)/i, wayOut: 'do-deploy logs in by key only: add publickey' },
  refuseconnection: { unless: /^none$/i, wayOut: 'Remove it for this host' },
};

/** Keywords of OpenSSH that make no difference to do-deploy. Unknown ones are reported. */
const IGNORED = new Set(
  `addkeystoagent batchmode canonicaldomains canonicalizefallbacklocal canonicalizemaxdots canonicalizepermittedcnames
  casignaturealgorithms challengeresponseauthentication channeltimeout checkhostip clearallforwardings compression
  connectionattempts controlmaster controlpath controlpersist dynamicforward enableescapecommandline enablesshkeysign
  escapechar exitonforwardfailure fingerprinthash forkafterauthentication forwardagent forwardx11 forwardx11timeout
  forwardx11trusted gatewayports globalknownhostsfile2 gssapiauthentication gssapiclientidentity gssapidelegatecredentials
  gssapikexalgorithms gssapikeyexchange gssapirenewalforcesrekey gssapiserveridentity gssapitrustdns
  hostbasedacceptedalgorithms hostbasedauthentication hostbasedkeytypes ignoreunknown ipqos kbdinteractiveauthentication
  kbdinteractivedevices localcommand localforward loglevel logverbose nohostauthenticationforlocalhost
  numberofpasswordprompts obscurekeystroketiming passwordauthentication permitlocalcommand permitremoteopen protocol
  rekeylimit remotecommand remoteforward requesttty requiredrsasize securitykeyprovider sendenv serveralivecountmax
  serveraliveinterval sessiontype setenv skeyauthentication stdinnull streamlocalbindmask streamlocalbindunlink
  syslogfacility tag tcpkeepalive tunnel tunneldevice updatehostkeys usekeychain useprivilegedport userknownhostsfile2
  verifyhostkeydns versionaddendum visualhostkey warnweakcrypto xauthlocation`.split(/\s+/),
);

const FOLLOWED = new Set(
  `hostname port user identityfile identitiesonly identityagent certificatefile proxyjump proxycommand userknownhostsfile
  globalknownhostsfile hostkeyalias stricthostkeychecking hashknownhosts revokedhostkeys hostkeyalgorithms macs
  kexalgorithms ciphers pubkeyacceptedalgorithms pubkeyacceptedkeytypes connecttimeout addressfamily bindaddress
  dsaauthentication rsaauthentication`.split(/\s+/),
);

/** Throws ConfigProblem, naming file and line, for a value that is wrong. */
export function readOptions(settings: readonly Setting[]): HostOptions {
  const first = (...keywords: string[]) => settings.find(({ keyword }) => keywords.includes(keyword));
  const word = (...keywords: string[]) => {
    const setting = first(...keywords);
    return setting && single(setting);
  };
  const all = (keyword: string) => [...new Set(settings.filter((setting) => setting.keyword === keyword).map(single))];
  const flag = (keyword: string) => {
    const setting = first(keyword);
    return setting && choice(setting, { yes: true, true: true, no: false, false: false });
  };
  const strict = first('stricthostkeychecking');
  const family = first('addressfamily');
  const timeout = first('connecttimeout');
  const port = first('port');
  return {
    hostName: word('hostname'),
    port: port && readPort(port),
    user: word('user'),
    identityFiles: all('identityfile'),
    identitiesOnly: flag('identitiesonly'),
    identityAgent: word('identityagent'),
    certificateFiles: all('certificatefile'),
    proxy: readProxy(first('proxyjump'), first('proxycommand'), settings),
    userKnownHostsFiles: first('userknownhostsfile')?.words,
    globalKnownHostsFiles: first('globalknownhostsfile')?.words,
    hostKeyAlias: word('hostkeyalias'),
    strictHostKeyChecking: strict && { value: choice(strict, STRICT), place: strict.place },
    hashKnownHosts: flag('hashknownhosts'),
    revokedHostKeys: word('revokedhostkeys'),
    hostKeyAlgorithms: word('hostkeyalgorithms'),
    pubkeyAcceptedAlgorithms: word('pubkeyacceptedalgorithms', 'pubkeyacceptedkeytypes'),
    macs: word('macs'),
    kexAlgorithms: word('kexalgorithms'),
    ciphers: word('ciphers'),
    connectTimeoutSeconds: timeout && readSeconds(timeout),
    addressFamily: family && choice(family, { inet: 4, inet6: 6, any: undefined } as const),
    bindAddress: word('bindaddress'),
  };
}

/** Throws ConfigProblem for an option that is set and cannot be followed. `settings` in order of precedence. */
export function refuseUnsupported(settings: readonly Setting[]): void {
  for (const [keyword, { unless, wayOut }] of Object.entries(REFUSED)) {
    const setting = settings.find((one) => one.keyword === keyword);
    if (setting === undefined || unless.test(setting.rest.trim())) continue;
    const { place, rest } = setting;
    throw new ConfigProblem(
      `${place}: ${keyword} ${rest} is not supported`,
      `${wayOut} for this host; or name another file by ssh.config in do-deploy's configuration file.`,
    );
  }
}

/** Lines with a keyword that is unknown here, such as one of a newer OpenSSH. */
export function unknownSettings(settings: readonly Setting[]): Setting[] {
  const excused = settings
    .filter(({ keyword }) => keyword === 'ignoreunknown')
    .flatMap(({ words }) => words.join(',').split(','));
  return settings.filter(
    ({ keyword }) =>
      !FOLLOWED.has(keyword) &&
      !IGNORED.has(keyword) &&
      !Object.hasOwn(REFUSED, keyword) &&
      !matchesPatterns(excused, [keyword]),
  );
}

/** OpenSSH's own: the largest of an int. */
const MAX_SECONDS = 2 ** 31 - 1;

const STRICT = {
  yes: 'yes',
  true: 'yes',
  no: 'no',
  false: 'no',
  off: 'no',
  ask: 'ask',
  'accept-new': 'accept-new',
} as const;

function single({ words, keyword, place }: Setting): string {
  const [word, extra] = words;
  if (word === undefined || word === '') throw new ConfigProblem(`${place}: no argument after "${keyword}"`);
  if (extra !== undefined)
    throw new ConfigProblem(`${place}: more than one argument after "${keyword}"; quote a value with spaces`);
  return word;
}

function choice<T>(setting: Setting, values: Readonly<Record<string, T>>): T {
  const word = single(setting).toLowerCase();
  if (!Object.hasOwn(values, word))
    throw new ConfigProblem(`${setting.place}: unknown value "${word}" of ${setting.keyword}`);
  return values[word] as T;
}

function readPort(setting: Setting): number {
  const written = single(setting);
  const port = Number(written);
  if (/^\d+$/.test(written) && port > 0 && port < 65536) return port;
  throw new ConfigProblem(`${setting.place}: bad port "${written}"`);
}

/** `30`, `1m30s`, `none`. */
function readSeconds(setting: Setting): number | undefined {
  const written = single(setting).toLowerCase();
  if (written === 'none') return undefined;
  const units: Record<string, number> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
  const parts = written.matchAll(/(\d+)([smhdw]?)/g);
  const seconds = [...parts].reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ''] ?? 1), 0);
  const isTime = /^(?=\d)(\d+[smhdw])*\d*$/.test(written) && seconds <= MAX_SECONDS;
  if (!isTime) throw new ConfigProblem(`${setting.place}: bad time "${written}"`);
  return seconds;
}

/** Whichever comes first, but `ProxyJump none` only excludes other jump hosts. */
function readProxy(
  jump: Setting | undefined,
  command: Setting | undefined,
  settings: readonly Setting[],
): HostOptions['proxy'] {
  const hosts = jump && single(jump);
  const isFirst = command === undefined || (jump !== undefined && settings.indexOf(jump) < settings.indexOf(command));
  if (hosts !== undefined && isFirst && hosts.toLowerCase() !== 'none') return { jump: hosts };
  if (command === undefined || command.rest.toLowerCase() === 'none') return undefined;
  return { command: command.rest, place: command.place };
}
