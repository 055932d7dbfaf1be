import pLimit from 'p-limit';

/** Droplets worked on simultaneously. With more, the registry or this machine becomes the bottleneck. */
export const AT_ONCE = 20;

/** Runs the task for every item, at most `AT_ONCE` simultaneously. Results keep the items' order; errors as in `waitForAll`. */
export async function inParallel<Item, T>(items: readonly Item[], task: (item: Item) => Promise<T>): Promise<T[]> {
  const limit = pLimit(AT_ONCE);
  return await waitForAll(items.map((item) => limit(() => task(item))));
}

/** Like Promise.all, but waits until every task has settled; then throws the first error, in order. */
export async function waitForAll<T extends readonly unknown[]>(
  tasks: readonly [...{ [K in keyof T]: Promise<T[K]> }],
): Promise<T> {
  const results: PromiseSettledResult<unknown>[] = await Promise.allSettled(tasks);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  }) as unknown as T;
}
