/**
 * Concurrent calls share one answer. Calls made while an answer is pending share the next one: no answer is older than
 * its question.
 */
export function coalesced<T>(ask: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | undefined;
  const askNow = () => {
    next = undefined;
    const answer = ask();
    underWay = answer;
    return answer;
  };
  return () => {
    next ??= underWay.then(askNow, askNow);
    return next;
  };
}
