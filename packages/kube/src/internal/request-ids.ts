/** Ids that no two clients share: twelve digits of the client, then a number. */
export function createRequestIds(random: () => number): () => string {
  const client = Math.floor(random() * 2 ** 48)
    .toString(16)
    .padStart(12, "0");
  let number = 0;
  return () => {
    number += 1;
    return `${client}-${number}`;
  };
}
