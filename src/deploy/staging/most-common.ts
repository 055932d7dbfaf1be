/** The answer that most droplets give, by the part of it that counts; of equally common ones the first. */
export function mostCommonBy<T>(answers: readonly T[], part: (answer: T) => unknown): T | undefined {
  const texts = answers.map((answer) => JSON.stringify(part(answer)));
  const count = (text: string | undefined) => texts.filter((other) => other === text).length;
  const most = Math.max(0, ...texts.map(count));
  return answers.find((_, index) => count(texts[index]) === most);
}
