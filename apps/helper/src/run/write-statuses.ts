type WriteStatus = "unwritten" | "failed" | "written";

/** How spiffe-helper reports what it has written: for each file of JWTs, and for X.509 as a whole. */
export interface WriteStatuses {
  x509: WriteStatus | undefined;
  /** By path. */
  readonly jwt: Map<string, WriteStatus>;
}

export function createWriteStatuses(x509: boolean, jwtPaths: readonly string[]): WriteStatuses {
  return { x509: x509 ? "unwritten" : undefined, jwt: new Map(jwtPaths.map((path) => [path, "unwritten"])) };
}

/** spiffe-helper's liveness: no write has failed. */
export function isLive(statuses: WriteStatuses): boolean {
  return all(statuses).every((status) => status !== "failed");
}

/** The first half of readiness: everything was written. */
export function isWritten(statuses: WriteStatuses): boolean {
  return all(statuses).every((status) => status === "written");
}

function all({ x509, jwt }: WriteStatuses): readonly WriteStatus[] {
  return [...(x509 === undefined ? [] : [x509]), ...jwt.values()];
}
