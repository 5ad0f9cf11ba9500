import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createSpiffeAuthority, startWorkloadApi, type WorkloadApiServer } from "@newleaf/testing";

/** What one credential helper works with: a Workload API of its own, and folders for its files and for itself. */
export interface Workload extends AsyncDisposable {
  readonly api: WorkloadApiServer;
  readonly socketPath: string;
  /** Empty. */
  readonly directory: string;
  readonly workDirectory: string;
  /** The certificate's serial number as it is now. */
  serialNumber(): string | undefined;
  /** Sends a new certificate: its serial number, and when on the machine's monotonic clock. */
  push(): { readonly serialNumber: string | undefined; readonly sentNs: number };
}

/** `place` must not exist. */
export async function startWorkload(place: string): Promise<Workload> {
  const [directory, workDirectory] = [join(place, "certs"), join(place, "work")];
  for (const folder of [directory, workDirectory]) mkdirSync(folder, { recursive: true });
  const socketPath = join(place, "api.sock");
  const api = await startWorkloadApi({
    authority: createSpiffeAuthority({ trustDomain: "example.org" }),
    path: socketPath,
  });
  const serialNumber = (): string | undefined => api.svids[0]?.identity.certificate.serialNumber;
  return {
    api,
    socketPath,
    directory,
    workDirectory,
    serialNumber,
    push() {
      api.rotate();
      return { serialNumber: serialNumber(), sentNs: Number(process.hrtime.bigint()) };
    },
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  };
}
