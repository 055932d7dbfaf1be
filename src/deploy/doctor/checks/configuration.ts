/** What is wrong with the configuration and its files, as a deploy says it before it contacts anything. */
import type { ConfigurationProblem, Facts } from '../facts.js';
import type { Found } from '../found.js';

export function checkConfiguration({ problems, warnings, envFiles }: Facts): Found[] {
  const isEnvFile = (place: string) => envFiles.some(({ path }) => place.startsWith(`${path}:`));
  return [
    ...problems.map(ofProblem),
    ...warnings.map((warning): Found => {
      const [, place, message = warning] = /^(\S+:\d+): (.+)$/s.exec(warning) ?? [];
      if (place === undefined) return { name: 'configuration-doubt', message };
      return { name: isEnvFile(place) ? 'env-file-dollar' : 'configuration-doubt', place, message };
    }),
  ];
}

function ofProblem({ place, message, remedy, kind }: ConfigurationProblem): Found {
  return { name: kind ?? 'configuration', place, message, fix: remedy };
}
