/** A workload: whoever runs as `uid` gets this SVID. */
interface SpireEntry {
  readonly spiffeId: string;
  readonly uid?: number;
  /** How long its SVIDs live, in seconds; 60 by default. */
  readonly ttl?: number;
  readonly dnsNames?: readonly string[];
  /** Names of the trust domains whose bundles it gets as well. */
  readonly federatesWith?: readonly string[];
  readonly hint?: string;
}

export interface SpireEntries {
  /** The id of the entry. */
  create(entry: SpireEntry): Promise<string>;
  /** Replaces it. The agent then renews its SVID at once, even where nothing is different. */
  update(id: string, entry: SpireEntry): Promise<void>;
  /** Has the agent renew every SVID. */
  renew(): Promise<void>;
  delete(id: string): Promise<void>;
}

export function createEntries(
  command: (args: readonly string[], input?: string) => Promise<string>,
  parentId: string,
): SpireEntries {
  const known = new Map<string, SpireEntry>();
  let made = 0;
  const describe = (id: string, entry: SpireEntry): object => ({
    entry_id: id,
    parent_id: parentId,
    spiffe_id: entry.spiffeId,
    selectors: [{ type: "unix", value: `uid:${entry.uid ?? process.getuid?.() ?? 0}` }],
    x509_svid_ttl: entry.ttl ?? 60,
    dns_names: entry.dnsNames ?? [],
    federates_with: (entry.federatesWith ?? []).map((name) => `spiffe://${name}`),
    hint: entry.hint ?? "",
  });
  const write = async (
    verb: "create" | "update",
    entries: ReadonlyMap<string, SpireEntry>,
  ): Promise<void> => {
    const described = [...entries].map(([id, entry]) => describe(id, entry));
    await command(["entry", verb, "-data", "-"], JSON.stringify({ entries: described }));
    for (const [id, entry] of entries) known.set(id, entry);
  };

  return {
    async create(entry) {
      const id = `entry-${++made}`;
      await write("create", new Map([[id, entry]]));
      return id;
    },
    update: (id, entry) => write("update", new Map([[id, entry]])),
    renew: () => write("update", known),
    async delete(id) {
      await command(["entry", "delete", "-entryID", id]);
      known.delete(id);
    },
  };
}
