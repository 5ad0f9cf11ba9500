import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { freePort } from "../bench/peers/peer.ts";
import { createProgram, type Program } from "./program.ts";
import { agentConfig, serverConfig } from "./spire/config.ts";
import { createEntries, type SpireEntries } from "./spire/entries.ts";
import { createLocalAuthority, type LocalAuthority } from "./spire/local-authority.ts";
import { runSpireServer } from "./spire/server-command.ts";

export interface SpireOptions {
  /** The server program; its agent is beside it. */
  readonly program: string;
  readonly trustDomain?: string;
  /** How long the server's and the agent's own SVIDs live; both renew at half of (it and 10 s). 1 h by default. */
  readonly ownSvidSeconds?: number;
  /** How long the authority's certificate lives; a day by default. */
  readonly caSeconds?: number;
  /** An authority on disk above the server's own, which is then an intermediate one in each chain. */
  readonly upstream?: { readonly certificateFile: string; readonly keyFile: string };
}

/** A SPIRE server and an agent of its trust domain on 127.0.0.1; everything of theirs is in one temporary folder. */
export interface Spire extends AsyncDisposable {
  readonly trustDomain: string;
  /** The Workload API's socket, and the same as an address. */
  readonly socketPath: string;
  readonly address: string;
  /** Serves the bundle by the https_spiffe profile. */
  readonly bundleEndpoint: { readonly url: string; readonly spiffeId: string };
  readonly server: Program;
  readonly agent: Program;
  readonly entries: SpireEntries;
  /** What signs X.509-SVIDs and JWT-SVIDs, to roll it over. */
  readonly authority: LocalAuthority;
  readonly jwtAuthority: LocalAuthority;
  /** A SPIFFE bundle document. */
  bundle(): Promise<string>;
  /** Takes or replaces the bundle of another trust domain. */
  setBundle(trustDomain: string, bundle: string): Promise<void>;
  /** Forgets another trust domain, in its entries too. */
  deleteBundle(trustDomain: string): Promise<void>;
}

/**
 * Starts both, in a fraction of a second. The agent asks the server every half second and the server reads its entries
 * as often, so a change arrives within a second. An SVID that lives T seconds is renewed after (T - 10) / 2, because
 * SPIRE dates it 10 s back and renews at half of its life: 12 is a rotation every second, 60 every 25.
 */
export async function startSpire(options: SpireOptions): Promise<Spire> {
  const trustDomain = options.trustDomain ?? "example.org";
  const box = mkdtempSync(join(tmpdir(), "newleaf-spire-"));
  for (const folder of ["server", "agent"]) mkdirSync(join(box, folder));
  const adminSocket = join(box, "server/admin.sock");
  const socketPath = join(box, "agent/workload.sock");
  const [serverPort, bundlePort] = [await freePort(), await freePort()];
  const nodeId = `spiffe://${trustDomain}/node`;
  const configuration = { ...options, trustDomain, serverPort, bundlePort, adminSocket, socketPath };

  writeFileSync(join(box, "server.conf"), serverConfig({ ...configuration, directory: join(box, "server") }));
  const server = createProgram({
    program: options.program,
    args: ["run", "-config", join(box, "server.conf")],
    ready: /Starting Server APIs.*network=unix/,
  });
  const agent = createProgram({
    program: join(dirname(options.program), "spire-agent"),
    args: ["run", "-config", join(box, "agent.conf")],
    ready: /Starting Workload and SDS APIs/,
  });
  const command = (args: readonly string[], input?: string): Promise<string> =>
    runSpireServer(options.program, adminSocket, args, input);
  const authority = createLocalAuthority(adminSocket, "X509");
  const jwtAuthority = createLocalAuthority(adminSocket, "JWT");
  const dispose = async (): Promise<void> => {
    authority.close();
    jwtAuthority.close();
    await agent.stop();
    await server.stop();
    rmSync(box, { recursive: true });
  };

  try {
    await server.start();
    const token = JSON.parse(await command(["token", "generate", "-spiffeID", nodeId, "-output", "json"]));
    const joinToken = (token as { value: string }).value;
    const agentText = agentConfig({ ...configuration, directory: join(box, "agent"), joinToken });
    writeFileSync(join(box, "agent.conf"), agentText, { mode: 0o600 });
    await agent.start();
  } catch (error) {
    await dispose();
    throw error;
  }
  let disposed: Promise<void> | undefined;
  return {
    trustDomain,
    socketPath,
    address: `unix://${socketPath}`,
    bundleEndpoint: {
      url: `https://127.0.0.1:${bundlePort}`,
      spiffeId: `spiffe://${trustDomain}/spire/server`,
    },
    server,
    agent,
    entries: createEntries(command, nodeId),
    authority,
    jwtAuthority,
    bundle: () => command(["bundle", "show", "-format", "spiffe"]),
    setBundle: async (name, bundle) => {
      await command(["bundle", "set", "-format", "spiffe", "-id", `spiffe://${name}`], bundle);
    },
    deleteBundle: async (name) => {
      await command(["bundle", "delete", "-id", `spiffe://${name}`, "-mode", "dissociate"]);
    },
    [Symbol.asyncDispose]: () => {
      disposed ??= dispose();
      return disposed;
    },
  };
}
