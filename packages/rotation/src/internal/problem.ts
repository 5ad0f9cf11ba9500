import { type Certificate, formatName } from "@newleaf/x509";
import type { RefusalCode } from "../identity-source.ts";

/** Why material cannot be used, before it is put into words together with what is kept. */
export interface Problem {
  readonly problem: true;
  readonly code: RefusalCode;
  readonly message: string;
  readonly retryAt: Date | undefined;
}

export function problem(code: RefusalCode, message: string, retryAt?: Date): Problem {
  return { problem: true, code, message, retryAt };
}

export function isProblem(value: object): value is Problem {
  return "problem" in value;
}

/** How messages name a certificate. */
export function describe(certificate: Certificate): string {
  const subject = formatName(certificate.subject);
  return `${subject === "" ? "without subject" : subject} (serial ${certificate.serialNumber})`;
}
