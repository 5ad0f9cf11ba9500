import { startCertwatcher } from "./peers/certwatcher.ts";
import { startEnvoy } from "./peers/envoy.ts";
import { startGhostunnel } from "./peers/ghostunnel.ts";
import { startGoMtls } from "./peers/go-mtls.ts";
import { startNginx } from "./peers/nginx.ts";
import { locate, type Peer, PeerError, type PeerOptions } from "./peers/peer.ts";
import { startNodeServer } from "./servers/node-server.ts";

type Start = (options: PeerOptions) => Promise<Peer>;

const starts = {
  "Newleaf, this Node": (options) =>
    startNodeServer({ ...options, program: "newleaf", node: process.execPath }),
  "Newleaf, LTS Node": async (options) =>
    startNodeServer({ ...options, program: "newleaf", node: await locate("NEWLEAF_NODE_LTS") }),
  "https.Server, this Node": (options) =>
    startNodeServer({ ...options, program: "plain", node: process.execPath }),
  "https.Server, LTS Node": async (options) =>
    startNodeServer({ ...options, program: "plain", node: await locate("NEWLEAF_NODE_LTS") }),
  certwatcher: startCertwatcher,
  ghostunnel: startGhostunnel,
  nginx: startNginx,
  Envoy: startEnvoy,
  "Go net/http": startGoMtls,
} as const satisfies Record<string, Start>;

export type ContestantName = keyof typeof starts;

/** A server that was started, under the name that tables show. */
export interface Contestant {
  readonly name: ContestantName;
  readonly title: string;
  readonly peer: Peer;
}

/** Starts one, or says in a line why it cannot be. */
export async function startContestant(
  name: ContestantName,
  options: PeerOptions,
): Promise<Contestant | { readonly absent: string }> {
  try {
    const peer = await starts[name](options);
    return { name, title: titleOf(name, peer.version), peer };
  } catch (error) {
    if (error instanceof PeerError && error.code === "unavailable") {
      return { absent: `${name}: ${error.message}` };
    }
    throw error;
  }
}

function titleOf(name: ContestantName, version: string): string {
  const [program, node] = name.split(", ");
  return node === undefined ? `${name} ${version}` : `${program}, Node ${version}`;
}
