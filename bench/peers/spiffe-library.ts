import { fileURLToPath } from "node:url";
import { type Conversation, startConversation } from "../conversation.ts";
import { locate, PeerError, reportedVersion } from "./peer.ts";

/** A program that verifies SVIDs, or watches a Workload API, with a library. */
export interface SpiffeLibrary {
  /** As tables show it. */
  readonly title: string;
  readonly place: number;
  readonly conversation: Conversation;
}

type SpiffeLibraryName = "Newleaf, LTS Node" | "Newleaf, this Node" | "go-spiffe";

export const spiffeLibraries: readonly SpiffeLibraryName[] = [
  "Newleaf, LTS Node",
  "Newleaf, this Node",
  "go-spiffe",
];

export type SpiffeTask =
  /** On one thread. */
  { readonly name: "verify" } | { readonly name: "watch"; readonly address: string };

/** Starts those that are installed, each for the task that its place among `spiffeLibraries` has. */
export async function startSpiffeLibraries(
  taskOf: (place: number) => SpiffeTask,
): Promise<{ libraries: readonly SpiffeLibrary[]; absent: readonly string[] }> {
  const libraries: SpiffeLibrary[] = [];
  const absent: string[] = [];
  for (const [place, name] of spiffeLibraries.entries()) {
    try {
      libraries.push({ place, ...(await startLibrary(name, taskOf(place))) });
    } catch (error) {
      if (!(error instanceof PeerError) || error.code !== "unavailable") throw error;
      absent.push(`${name}: ${error.message}`);
    }
  }
  return { libraries, absent };
}

async function startLibrary(
  name: SpiffeLibraryName,
  task: SpiffeTask,
): Promise<Omit<SpiffeLibrary, "place">> {
  const args = task.name === "watch" ? [task.address] : [];
  if (name === "go-spiffe") {
    const program = await locate("NEWLEAF_GO_SPIFFE");
    const env: Record<string, string> = task.name === "verify" ? { GOMAXPROCS: "1" } : {};
    return {
      title: `${name} ${await reportedVersion(program, ["--version"], /^v(\S+)/)}`,
      conversation: await startConversation({ program, args: [task.name, ...args], env }),
    };
  }
  const isLts = name === "Newleaf, LTS Node";
  const program = isLts ? await locate("NEWLEAF_NODE_LTS") : process.execPath;
  // A Node that can read TypeScript itself needs no loader, which takes memory.
  const loader = isLts ? [] : ["--import", fileURLToPath(import.meta.resolve("tsx"))];
  const script = fileURLToPath(new URL(`../servers/spiffe-${task.name}.ts`, import.meta.url));
  return {
    title: `Newleaf, Node ${await reportedVersion(program, ["--version"], /^v(\S+)/)}`,
    conversation: await startConversation({ program, args: [...loader, script, ...args] }),
  };
}
