import { join } from "node:path";
import { bundle } from "../bundle.ts";
import { type Conversation, startConversation } from "../conversation.ts";
import type { NewleafInformerOptions } from "../servers/newleaf-informer.ts";
import { locate, PeerError, reportedVersion } from "./peer.ts";

/** An informer on all Deployments, each in a process of its own that speaks as servers/informer-measures.ts says. */
export interface InformerPeer {
  /** As tables show it. */
  readonly title: string;
  /** Has an event loop, that can be blocked. */
  readonly hasLoop: boolean;
  /** What the others are compared with: client-go as it comes. */
  readonly isReference: boolean;
  /** What has to reach the targets of a form, on Node's LTS: ours as it comes, and with fields selected. */
  readonly targetOf?: "JSON" | "protobuf";
  start(kubeconfig: string): Promise<Conversation>;
}

/** All that are installed, and a line for each other. Ours are built into `home`. */
export async function findInformers(
  home: string,
): Promise<{ readonly informers: readonly InformerPeer[]; readonly absent: readonly string[] }> {
  const informers: InformerPeer[] = [];
  const absent: string[] = [];
  for (const find of [findClientGo, findClientNode, findNewleafOnLts, findNewleaf]) {
    try {
      informers.push(...(await find(home)));
    } catch (error) {
      if (!(error instanceof PeerError) || error.code !== "unavailable") throw error;
      absent.push(error.message);
    }
  }
  return { informers, absent };
}

async function findClientGo(): Promise<InformerPeer[]> {
  const program = await locate("NEWLEAF_CLIENT_GO");
  const version = await reportedVersion(program, ["--version"], /^v(\S+)/);
  const peer = (form: string, args: readonly string[], watchList: boolean, isReference = false) => ({
    title: `client-go ${version}, ${form}`,
    hasLoop: false,
    isReference,
    start: (kubeconfig: string) =>
      startConversation({
        program,
        args: [kubeconfig, ...args],
        env: { KUBE_FEATURE_WatchListClient: String(watchList) },
      }),
  });
  return [
    peer("protobuf, WatchList", ["protobuf"], true, true),
    peer("protobuf, WatchList, trimmed", ["protobuf", "trim"], true),
    peer("protobuf, list", ["protobuf"], false),
    peer("JSON, list", ["json"], false),
    peer("JSON, WatchList", ["json"], true),
  ];
}

async function findClientNode(home: string): Promise<InformerPeer[]> {
  const folder = await locate("NEWLEAF_CLIENT_NODE");
  const script = await bundle(join(import.meta.dirname, "../servers/client-node-informer.ts"), home);
  return [
    {
      title: `@kubernetes/client-node 1.4.0, Node ${process.versions.node}`,
      hasLoop: true,
      isReference: false,
      start: (kubeconfig) =>
        startConversation({ program: process.execPath, args: [script, folder, kubeconfig] }),
    },
  ];
}

async function findNewleafOnLts(home: string): Promise<InformerPeer[]> {
  return findNewleaf(home, await locate("NEWLEAF_NODE_LTS"));
}

async function findNewleaf(home: string, program: string = process.execPath): Promise<InformerPeer[]> {
  const script = await bundle(join(import.meta.dirname, "../servers/newleaf-informer.ts"), home);
  const node = `Node ${await reportedVersion(program, ["--version"], /^v(\S+)/)}`;
  const peer = (
    form: string,
    options: NewleafInformerOptions,
    targetOf?: InformerPeer["targetOf"],
  ): InformerPeer => ({
    title: `Newleaf, ${node}${form}`,
    hasLoop: true,
    isReference: false,
    ...(targetOf && program !== process.execPath && { targetOf }),
    start: (kubeconfig) =>
      startConversation({ program, args: [script, kubeconfig, JSON.stringify(options)] }),
  });
  return [
    peer("", {}, "JSON"),
    peer(", trimmed", { trim: true }),
    peer(", WatchList", { watchList: true }),
    peer(", WatchList, trimmed", { watchList: true, trim: true }),
    peer(", fields (protobuf)", { select: true }, "protobuf"),
    peer(", trimmed fields (protobuf)", { select: true, trim: true }),
  ];
}
