import type { AdminResponse, AdminRoute } from "@newleaf/daemon";
import type { Observation } from "@newleaf/observe";
import type { IdentitySource } from "@newleaf/rotation";

/** What is known of the certificate once there is one, for the admin port and SIGHUP. */
export interface CertificateRun {
  source: IdentitySource | undefined;
  observation: Observation | undefined;
  readonly routes: Readonly<Record<"/rotations", AdminRoute>>;
  reload(): Promise<void>;
}

export function createCertificateRun(): CertificateRun {
  const run: CertificateRun = {
    source: undefined,
    observation: undefined,
    routes: { "/rotations": (url) => run.observation?.routes["/rotations"](url) ?? noCertificateYet },
    reload: async () => run.source?.reload(),
  };
  return run;
}

const noCertificateYet: AdminResponse = {
  status: 503,
  body: `${JSON.stringify({ error: "no certificate yet" })}\n`,
};
