/** One request as it was answered; `code` 0 when it got no answer. */
export interface AuditEntry {
  readonly user: string;
  readonly verb: string;
  readonly group: string;
  /** Undefined for paths that are no resource. */
  readonly resource: string | undefined;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly path: string;
  readonly userAgent: string;
  readonly code: number;
  /** When it was received, milliseconds since the epoch by the clock that was given. */
  readonly time: number;
  /** What admission webhooks had to say. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** The last requests, oldest first; a watch is entered when it is accepted. */
export interface AuditLog {
  readonly entries: readonly AuditEntry[];
  /** All that were ever entered. */
  readonly count: number;
  clear(): void;
}

export function createAuditLog(limit: number): AuditLog & { add(entry: AuditEntry): void } {
  let entries: AuditEntry[] = [];
  let count = 0;
  return {
    get entries() {
      return entries;
    },
    get count() {
      return count;
    },
    add(entry) {
      count += 1;
      entries.push(entry);
      if (entries.length > 2 * limit) entries = entries.slice(-limit);
    },
    clear: () => {
      entries = [];
    },
  };
}
