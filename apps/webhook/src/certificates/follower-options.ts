import { duration, type TypedOption, usageError, z } from "@newleaf/daemon";

/** Where a follower finds the certificate that the Lease announces. */
export interface FollowerConfig {
  readonly certs: string | undefined;
  readonly fromSecret: boolean;
  readonly certTimeout: number;
  readonly onCertTimeout: "exit" | "wait";
}

export const followerOptions: { readonly [K in keyof FollowerConfig]: TypedOption<FollowerConfig[K]> } = {
  certs: {
    flag: "--certs <dir>",
    description: "where the serving Secret is mounted",
    schema: z.string().min(1).optional(),
  },
  fromSecret: {
    flag: "--from-secret",
    description: "read the Secret from the API server, instead of --certs or while that is behind",
    schema: z.boolean(),
    default: false,
  },
  certTimeout: {
    flag: "--cert-timeout <duration>",
    description: "how long to wait where there has never been a certificate; a bare number is seconds",
    // As KubeTemplater's flag has it.
    schema: z
      .string()
      .transform((text) => (/^\d+$/.test(text) ? `${text}s` : text))
      .pipe(duration({ min: "1ms" })),
    default: "180s",
  },
  onCertTimeout: {
    flag: "--on-cert-timeout <what>",
    description: "exit with code 1, or wait on and say so",
    schema: z.enum(["exit", "wait"]),
    default: "exit",
  },
};

/** Where a replica says what it has loaded. */
export type Acknowledgement = "pod" | "lease" | "none";

export const acknowledgeOption: TypedOption<Acknowledgement> = {
  flag: "--acknowledge <where>",
  description: "how replicas say what they have loaded: on their Pod, on a Lease each, or none",
  schema: z.enum(["pod", "lease", "none"]),
  default: "pod",
};

export function checkFollowerConfig({ certs, fromSecret }: FollowerConfig): void {
  if (certs !== undefined || fromSecret) return;
  throw usageError(
    "there is nowhere to take the certificate from",
    "give --certs with the directory of the mounted Secret, or --from-secret",
  );
}
