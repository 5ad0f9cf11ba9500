/** The RFC 4514 text of a subject with this common name. */
export function subjectOf(commonName: string): string {
  const escaped = commonName
    .replaceAll(/[,+"\\<>;=]/g, "\\$&")
    .replace(/^[ #]/, "\\$&")
    .replace(/ $/, "\\ ");
  return `CN=${escaped}`;
}
