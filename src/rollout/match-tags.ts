/** `do-deploy tags`: which environment runs which of git's tags. Pure. */
import type { GitTag, StatusRow } from './model.js';

/** What an environment's droplets run, or why that is not known. */
export interface EnvironmentLook {
  name: string;
  rows: readonly StatusRow[];
  /** It can't be asked: why. */
  unknown?: string;
}

export interface RunningOn {
  environment: string;
  /** How many of its droplets run it, and how many there are. */
  droplets: number;
  of: number;
}

export interface TagRow extends GitTag {
  environments: RunningOn[];
}

export interface EnvironmentRow {
  name: string;
  unknown?: string;
  /** Droplets that couldn't be asked. */
  unreachable: string[];
  /** Releases that no tag names, by id. */
  untagged: string[];
}

/** Newest first, as `tags` are. */
export function matchTags(
  tags: readonly GitTag[],
  looks: readonly EnvironmentLook[],
): { tags: TagRow[]; environments: EnvironmentRow[] } {
  const named = new Map(looks.map((look) => [look.name, look.rows.map((row) => tagOf(row, tags)?.name)]));
  return {
    tags: tags.map((tag) => ({
      ...tag,
      environments: looks.flatMap(({ name, rows }): RunningOn[] => {
        const droplets = (named.get(name) ?? []).filter((one) => one === tag.name).length;
        return droplets === 0 ? [] : [{ environment: name, droplets, of: rows.length }];
      }),
    })),
    environments: looks.map(({ name, rows, unknown }) => ({
      name,
      unknown,
      unreachable: rows.filter((row) => row.release === '' && row.health === 'unknown').map((row) => row.name),
      untagged: [
        ...new Set(
          rows.filter((row) => row.release !== '' && tagOf(row, tags) === undefined).map((row) => row.release),
        ),
      ],
    })),
  };
}

/**
 * The tag whose files and images a droplet runs: one with the commit that was deployed, rather of the same name as the
 * images' tag. A release that knows no commit goes by that name alone; one with uncommitted changes is no version.
 */
function tagOf(row: StatusRow, tags: readonly GitTag[]): GitTag | undefined {
  const { imageTag, commit, dirty } = row;
  if (commit === undefined) return tags.find((tag) => tag.name === imageTag);
  if (dirty) return undefined;
  const same = tags.filter((tag) => tag.commit === commit);
  return same.find((tag) => tag.name === imageTag) ?? same[0];
}
