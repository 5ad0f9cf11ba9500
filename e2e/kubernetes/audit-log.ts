import { existsSync, readFileSync, writeFileSync } from "node:fs";

/** A request as the API server's audit has it (audit.k8s.io/v1 Event), when it was answered; a watch when it ended. */
export interface AuditEvent {
  readonly auditID: string;
  readonly stage: "ResponseStarted" | "ResponseComplete" | "Panic";
  readonly verb: string;
  readonly requestURI: string;
  readonly userAgent?: string;
  readonly user: { readonly username: string; readonly groups?: readonly string[] };
  readonly objectRef?: {
    readonly resource?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly apiGroup?: string;
    readonly subresource?: string;
  };
  readonly responseStatus?: { readonly code?: number };
  readonly requestReceivedTimestamp: string;
}

/** Who asked for what, and nothing of what was in it. */
export function writeAuditPolicy(file: string): void {
  const policy = {
    apiVersion: "audit.k8s.io/v1",
    kind: "Policy",
    omitStages: ["RequestReceived"],
    rules: [{ level: "Metadata" }],
  };
  writeFileSync(file, JSON.stringify(policy));
}

export function readAuditLog(file: string): AuditEvent[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  // The last one is empty, or being written.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as AuditEvent);
}
