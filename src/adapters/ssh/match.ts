import { type ConfigLine, ConfigProblem, splitCriteria } from './config-lines.js';
import { matchesPatterns } from './patterns.js';

/** What the criteria of a Match line are compared with. */
export interface MatchSubject {
  /** The host's names: its droplet's name and its address. */
  names: readonly string[];
  /** Set once a HostName was read. */
  hostName?: string;
  user: string;
  localUser: string;
  tag: string;
  /** Whether the configuration is read for the second time, for `Match final`. */
  isFinal: boolean;
}

export interface MatchResult {
  matches: boolean;
  /** It is about this host, by one of its names: the name that matched. Absent for criteria that hosts share. */
  about?: string;
  /** It asks for a second reading. */
  wantsFinal: boolean;
}

const WAY_OUT =
  "Replace it by Host or Match sections without it, or name a configuration without it by ssh.config in do-deploy's configuration file.";

/** Evaluates a Match line (readconf.c, match_cfg_line). Throws ConfigProblem for what cannot be supported. */
export function evaluateMatch({ rest, place }: ConfigLine, subject: MatchSubject): MatchResult {
  const words = splitCriteria(rest);
  if (words.length === 0) throw new ConfigProblem(`${place}: Match without criteria`);
  const result: MatchResult = { matches: true, wantsFinal: false };
  for (let at = 0; at < words.length; at++) {
    const written = words[at] ?? '';
    const negated = written.startsWith('!');
    const criterion = written.slice(negated ? 1 : 0).toLowerCase();
    if (criterion === 'all') {
      if (words.length > 1 && !(at === 1 && words.length === 2 && /^!?(canonical|final)$/i.test(words[0] ?? ''))) {
        throw new ConfigProblem(`${place}: "all" cannot be combined with other criteria`);
      }
      if (negated) result.matches = false;
      return result;
    }
    if (criterion === 'canonical' || criterion === 'final') {
      if (criterion === 'final') result.wantsFinal = true;
      if (subject.isFinal === negated) result.matches = false;
      continue;
    }
    const argument = words[++at];
    if (argument === undefined) throw new ConfigProblem(`${place}: Match ${criterion} has no argument`);
    const match = evaluate(criterion, argument, subject, result.matches, place);
    if (match.matches === negated) result.matches = false;
    else if (!negated) result.about = match.about ?? result.about;
  }
  return result;
}

function evaluate(
  criterion: string,
  argument: string,
  subject: MatchSubject,
  stillMatches: boolean,
  place: string,
): { matches: boolean; about?: string } {
  const patterns = argument.split(',');
  const byName = (names: readonly string[]) => {
    const isShared = patterns.every((pattern) => pattern === '*' || pattern.startsWith('!'));
    const about = names.find((name) => matchesPatterns(patterns, [name]));
    return { matches: matchesPatterns(patterns, names), about: isShared ? undefined : about };
  };
  switch (criterion) {
    case 'host': {
      if (subject.hostName === undefined) return byName(subject.names);
      const match = byName([subject.hostName]);
      return { ...match, about: match.about && subject.names[0] };
    }
    case 'originalhost':
      return byName(subject.names);
    case 'user':
      return { matches: matchesPatterns(patterns, [subject.user], { matchCase: true }) };
    case 'localuser':
      return { matches: matchesPatterns(patterns, [subject.localUser], { matchCase: true }) };
    case 'tagged':
      return { matches: matchesPatterns(patterns, [subject.tag], { matchCase: true }) };
    case 'exec':
    case 'localnetwork':
    case 'version':
    case 'sessiontype':
    case 'command':
      // OpenSSH does not evaluate what can no longer matter.
      if (!stillMatches) return { matches: false };
      throw new ConfigProblem(`${place}: Match ${criterion} is not supported`, WAY_OUT);
    default:
      throw new ConfigProblem(`${place}: unknown criterion "${criterion}" of Match`);
  }
}
