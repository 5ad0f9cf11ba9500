/** What `--cpu-prof` writes, as far as it is used here. */
export interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

/** Whose time it is, by where a function comes from; the first that fits. */
const parts: readonly (readonly [name: string, url: RegExp])[] = [
  ["Newleaf: rotation", /packages\/rotation\//],
  ["Newleaf: x509", /packages\/x509\//],
  ["Node: TLS", /^node:(internal\/tls|_tls|tls|internal\/crypto|crypto)/],
  ["Node: HTTP", /^node:(_http|internal\/http|http)/],
  ["Node: sockets and streams", /^node:(net|stream|internal\/(streams|stream_base|js_stream))/],
  ["Node: events, timers, the rest", /^node:/],
];
const NATIVE = "native: OpenSSL, libuv, kernel";

/** The share of busy time of each part. */
export function shareOf(profile: Profile): ReadonlyMap<string, number> {
  const shares = new Map<string, number>([[NATIVE, 0], ...parts.map(([name]) => [name, 0] as const)]);
  const tree = new Tree(profile);
  tree.eachBusy((node, share) => {
    const part = tree.partOf(node);
    shares.set(part, (shares.get(part) ?? 0) + share);
  });
  return shares;
}

/** The share of busy time of each function itself. */
export function selfTimes(profile: Profile): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  new Tree(profile).eachBusy(({ callFrame: { functionName, url, lineNumber } }, share) => {
    const file = url.split("/").slice(-2).join("/");
    const where = `${functionName || "(anonymous)"} ${file ? `${file}:${lineNumber + 1}` : ""}`.trim();
    times.set(where, (times.get(where) ?? 0) + share);
  });
  return times;
}

class Tree {
  readonly #profile: Profile;
  readonly #nodes: ReadonlyMap<number, ProfileNode>;
  readonly #parents = new Map<number, ProfileNode>();

  constructor(profile: Profile) {
    this.#profile = profile;
    this.#nodes = new Map(profile.nodes.map((node) => [node.id, node]));
    for (const node of profile.nodes) for (const child of node.children ?? []) this.#parents.set(child, node);
  }

  eachBusy(visit: (node: ProfileNode, share: number) => void): void {
    const times = new Map<ProfileNode, number>();
    let busy = 0;
    for (const [index, id] of this.#profile.samples.entries()) {
      const node = this.#nodes.get(id);
      if (!node || node.callFrame.functionName === "(idle)") continue;
      const time = this.#profile.timeDeltas[index] ?? 0;
      busy += time;
      times.set(node, (times.get(node) ?? 0) + time);
    }
    for (const [node, time] of times) visit(node, time / busy);
  }

  /** A built-in without a source of its own counts for who called it; without a caller it is native code. */
  partOf(node: ProfileNode): string {
    const { functionName, url } = node.callFrame;
    if (functionName === "(garbage collector)") return "garbage collector";
    if (functionName === "(program)" || functionName === "(root)") return NATIVE;
    if (url === "") {
      const parent = this.#parents.get(node.id);
      return parent ? this.partOf(parent) : NATIVE;
    }
    return parts.find(([, pattern]) => pattern.test(url))?.[0] ?? "the handler, loading";
  }
}
