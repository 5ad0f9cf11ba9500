import { duration, type TypedOption, usageError, z } from "@newleaf/daemon";
import { type BundleTarget, type ServingNames, serviceDnsNames } from "@newleaf/webhook";
import { parseIpAddress } from "@newleaf/x509";
import { objectName } from "./kube-options.ts";

/** What the elected replica keeps, and how long an election takes. Durations in milliseconds. */
export interface LeaderConfig {
  readonly service: string | undefined;
  readonly dnsName: readonly string[];
  readonly ip: readonly string[];
  readonly validating: readonly string[];
  readonly mutating: readonly string[];
  readonly crd: readonly string[];
  readonly apiService: readonly string[];
  readonly selector: string | undefined;
  readonly provePort: number | undefined;
  readonly certificateDuration: number;
  readonly authorityDuration: number;
  readonly settle: number;
  readonly leaseDuration: number;
  readonly renewDeadline: number;
  readonly retryPeriod: number;
}

const names = z.array(objectName()).default([]);

export const leaderOptions: { readonly [K in keyof LeaderConfig]: TypedOption<LeaderConfig[K]> } = {
  service: {
    flag: "--service <name>",
    description: "the Service that the webhook is called by; by default --name",
    schema: objectName().optional(),
  },
  dnsName: {
    flag: "--dns-name <name>",
    description: "a further name in the certificate, for what calls the webhook by a URL",
    schema: names,
    repeatable: true,
  },
  ip: {
    flag: "--ip <address>",
    description: "a further address in the certificate",
    schema: z
      .array(z.string().refine((text) => parseIpAddress(text) !== undefined, "is no IP address"))
      .default([]),
    repeatable: true,
  },
  validating: {
    flag: "--validating <name>",
    description: "keep the caBundle of this ValidatingWebhookConfiguration",
    schema: names,
    repeatable: true,
  },
  mutating: {
    flag: "--mutating <name>",
    description: "keep the caBundle of this MutatingWebhookConfiguration",
    schema: names,
    repeatable: true,
  },
  crd: {
    flag: "--crd <name>",
    description: "keep the caBundle of this CustomResourceDefinition's conversion webhook",
    schema: names,
    repeatable: true,
  },
  apiService: {
    flag: "--api-service <name>",
    description: "keep the caBundle of this APIService",
    schema: names,
    repeatable: true,
  },
  selector: {
    flag: "--selector <labels>",
    description: "the Pods that must acknowledge a new CA; by default app.kubernetes.io/name=NAME",
    schema: z.string().min(1).optional(),
  },
  provePort: {
    flag: "--prove-port <port>",
    description: "where those Pods are asked for their certificate before an old CA is dropped; 0 asks none",
    schema: z.coerce.number().int().min(0).max(65_535).optional(),
  },
  certificateDuration: {
    flag: "--certificate-duration <duration>",
    description: "life of a certificate; it is renewed after two thirds",
    schema: duration({ min: "1s" }),
    default: "720h",
  },
  authorityDuration: {
    flag: "--authority-duration <duration>",
    description: "life of a CA, at least three times that of a certificate",
    schema: duration({ min: "3s" }),
    default: "8760h",
  },
  settle: {
    flag: "--settle <duration>",
    description: "how long API servers may go on using a caBundle that was replaced",
    schema: duration({ max: "1h" }),
    default: "5s",
  },
  leaseDuration: {
    flag: "--lease-duration <duration>",
    description: "how long others wait after the last renewal of the leader that they saw",
    schema: duration({ min: "1s", max: "1h" }),
    default: "15s",
  },
  renewDeadline: {
    flag: "--renew-deadline <duration>",
    description: "how long a leader goes on after its last renewal",
    schema: duration({ min: "1ms" }),
    default: "10s",
  },
  retryPeriod: {
    flag: "--retry-period <duration>",
    description: "between renewals, and between attempts to become leader",
    schema: duration({ min: "1ms" }),
    default: "2s",
  },
};

/** Between attempts there may be so much more at random (client-go's JitterFactor). */
const RETRY_SPREAD = 1.2;

/** Refuses what could only fail once there is a leader. */
export function checkLeaderConfig(config: LeaderConfig): void {
  const { certificateDuration, authorityDuration, leaseDuration, renewDeadline, retryPeriod } = config;
  if (authorityDuration < 3 * certificateDuration) {
    throw usageError(
      "--authority-duration must be at least three times --certificate-duration",
      "a CA is replaced long before it ends, and must outlive what it has signed",
    );
  }
  if (leaseDuration <= renewDeadline || renewDeadline <= RETRY_SPREAD * retryPeriod) {
    throw usageError(
      "--lease-duration must be longer than --renew-deadline, and that longer than 1.2 times --retry-period",
      "the defaults are 15s, 10s and 2s",
    );
  }
}

export function bundleTargets(config: LeaderConfig): readonly BundleTarget[] {
  const of = (kind: BundleTarget["kind"], list: readonly string[]): BundleTarget[] =>
    list.map((name) => ({ kind, name }));
  return [
    ...of("ValidatingWebhookConfiguration", config.validating),
    ...of("MutatingWebhookConfiguration", config.mutating),
    ...of("CustomResourceDefinition", config.crd),
    ...of("APIService", config.apiService),
  ];
}

export function servingNames(config: LeaderConfig, name: string, namespace: string): ServingNames {
  return {
    dnsNames: [...new Set([...serviceDnsNames(config.service ?? name, namespace), ...config.dnsName])],
    ips: config.ip,
  };
}
