/** `do-deploy tags`: which environment runs which git tag. Pure. */
import type { GitTag, StatusRow } from './model.js';

/** What the droplets of an environment run, or why that is unknown. */
export interface EnvironmentLook {
  name: string;
  rows: readonly StatusRow[];
  /** Why nothing is known. */
  unknown?: string;
}

export interface RunningOn {
  environment: string;
  /** Number of its droplets that run it. */
  droplets: number;
  /** Number of its droplets. */
  of: number;
}

export interface TagRow extends GitTag {
  environments: RunningOn[];
}

export interface EnvironmentRow {
  name: string;
  unknown?: string;
  /** Droplets that did not answer. */
  unreachable: string[];
  /** Ids of releases without a tag. */
  untagged: string[];
}

/** In the order of `tags`: newest first. */
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
 * The tag whose files and images a droplet runs: one of the deployed commit, preferably with the name of the image tag.
 * A release without a commit is matched by that name alone; one with uncommitted changes has no tag.
 */
function tagOf(row: StatusRow, tags: readonly GitTag[]): GitTag | undefined {
  const { imageTag, commit, dirty } = row;
  if (commit === undefined) return tags.find((tag) => tag.name === imageTag);
  if (dirty) return undefined;
  const same = tags.filter((tag) => tag.commit === commit);
  return same.find((tag) => tag.name === imageTag) ?? same[0];
}
