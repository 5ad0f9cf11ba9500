import type { Certificate } from "../certificate.ts";
import { formatName } from "../name.ts";

const MAX_NAME_LENGTH = 120;

/** A certificate in a message: its subject, else its first alternative name, else its serial number. */
export function describeCertificate({ subject, subjectAltNames, serialNumber }: Certificate): string {
  if (subject.attributes.length > 0) return quote(formatName(subject));
  for (const name of subjectAltNames) {
    if (name.type === "dns" || name.type === "uri" || name.type === "email" || name.type === "ip") {
      return quote(name.value);
    }
  }
  return `certificate ${serialNumber}`;
}

function quote(name: string): string {
  return `"${name.length > MAX_NAME_LENGTH ? `${name.slice(0, MAX_NAME_LENGTH)}…` : name}"`;
}
