import { isIP } from "node:net";
import { type TypedOption, z } from "@newleaf/daemon";
import { type KeyAlgorithmName, keyAlgorithms } from "./authority-index.ts";

/** Options that several `newleaf ca` commands share. */
export const caOption: TypedOption<string> = {
  flag: "--ca <dir>",
  description: "directory of the authority",
  schema: z.string().min(1),
  default: "newleaf-ca",
  env: "NEWLEAF_CA_DIRECTORY",
};

export const forceOption: TypedOption<boolean> = {
  flag: "--force",
  description: "replace what is there",
  schema: z.boolean(),
  default: false,
};

export const dryRunOption: TypedOption<boolean> = {
  flag: "--dry-run",
  description: "say what would be done and change nothing",
  schema: z.boolean(),
  default: false,
};

export const algorithmOption: TypedOption<KeyAlgorithmName> = {
  flag: "--algorithm <name>",
  description: `key algorithm: ${keyAlgorithms.join(", ")}`,
  schema: z.enum(keyAlgorithms),
  default: "ecdsa-p256",
};

/** The name of an identity: a directory name and, by default, a DNS name. */
export const identityName: z.ZodType<string> = z
  .string()
  .refine((text) => /^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/.test(text), {
    message: "is not a name",
    params: {
      hint: "use up to 128 letters, digits, dots, dashes and underscores, a letter or digit first and last",
    },
  });

const dnsPattern =
  /^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$/;

export const dnsName: z.ZodType<string> = z
  .string()
  .refine((text) => text.length <= 253 && dnsPattern.test(text), {
    message: "is not a DNS name",
    params: { hint: "write it as backend.shop.svc, or *.shop.svc for any one label" },
  });

export const ipAddress: z.ZodType<string> = z.string().refine((text) => isIP(text) !== 0, {
  message: "is not an IP address",
  params: { hint: "write it as 192.0.2.1 or 2001:db8::1" },
});

export const uri: z.ZodType<string> = z
  .string()
  .refine((text) => /^[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]+$/i.test(text), {
    message: "is not a URI",
    params: { hint: "write it as spiffe://trust-domain/path" },
  });
