import type { ControlPlaneCertificates } from "./certificates.ts";

/** Kept in memory as far as etcd allows it: nothing here outlives the test. */
export function etcdFlags(directory: string, clientUrl: string, peerUrl: string): string[] {
  return flags({
    "data-dir": directory,
    "listen-client-urls": clientUrl,
    "advertise-client-urls": clientUrl,
    "listen-peer-urls": peerUrl,
    "initial-advertise-peer-urls": peerUrl,
    "initial-cluster": `default=${peerUrl}`,
    "unsafe-no-fsync": "true",
  });
}

export interface ApiServerSettings {
  readonly directory: string;
  readonly port: number;
  readonly etcdUrl: string;
  readonly certificates: ControlPlaneCertificates;
  /** Files of the audit's policy and log. */
  readonly audit: { readonly policyFile: string; readonly logFile: string } | undefined;
  /** Gives each Pod its service account, which a controller has to make first. */
  readonly admitServiceAccounts: boolean;
}

export function apiServerFlags(settings: ApiServerSettings): string[] {
  const { directory, port, etcdUrl, certificates, audit } = settings;
  const { caFile, serving, serviceAccounts } = certificates;
  return flags({
    "etcd-servers": etcdUrl,
    "bind-address": "127.0.0.1",
    "advertise-address": "127.0.0.1",
    "secure-port": String(port),
    "cert-dir": directory,
    // Endpoints of the API server itself cannot be on loopback.
    "endpoint-reconciler-type": "none",
    "service-cluster-ip-range": "10.0.0.0/24",
    "authorization-mode": "RBAC",
    "client-ca-file": caFile,
    "tls-cert-file": serving.certFile,
    "tls-private-key-file": serving.keyFile,
    "service-account-issuer": "https://kubernetes.default.svc",
    "api-audiences": "https://kubernetes.default.svc",
    "service-account-key-file": serviceAccounts.publicKeyFile,
    "service-account-signing-key-file": serviceAccounts.keyFile,
    ...(audit && {
      "audit-policy-file": audit.policyFile,
      "audit-log-path": audit.logFile,
      "audit-log-mode": "blocking",
    }),
    ...(!settings.admitServiceAccounts && { "disable-admission-plugins": "ServiceAccount" }),
  });
}

export function controllerManagerFlags(
  kubeconfig: string,
  { caFile, serviceAccounts }: ControlPlaneCertificates,
): string[] {
  return flags({
    kubeconfig,
    "root-ca-file": caFile,
    "service-account-private-key-file": serviceAccounts.keyFile,
    "use-service-account-credentials": "false",
    "leader-elect": "false",
    // No port of its own.
    "secure-port": "0",
    controllers:
      "*,-node-ipam-controller,-node-route-controller,-service-lb-controller,-cloud-node-lifecycle-controller",
  });
}

function flags(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`);
}
