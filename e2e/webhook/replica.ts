import { type RunningProcess, startNewleaf } from "../process.ts";
import { servedLeaf } from "./served-leaf.ts";

/** `newleaf webhook` in a Pod that can be killed and started again. */
export interface Replica {
  /** Of its Pod. */
  readonly name: string;
  readonly running: boolean;
  /** Of all its starts. */
  readonly log: readonly string[];
  start(args?: readonly string[]): void;
  /** It answers reviews. */
  ready(timeoutMs?: number): Promise<void>;
  /** SIGTERM and its end. */
  stop(): Promise<void>;
  /** SIGKILL and its end. */
  kill(): Promise<void>;
  /** SHA-256 of the leaf that it shows. */
  leaf(): Promise<string | undefined>;
}

export interface ReplicaOptions {
  readonly name: string;
  readonly namespace: string;
  readonly address: { readonly host: string; readonly port: number };
  readonly kubeconfig: string;
  readonly args: readonly string[];
}

export function createReplica(options: ReplicaOptions): Replica {
  const { name, namespace, address, kubeconfig, args } = options;
  const past: string[] = [];
  let current: RunningProcess | undefined;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (!current) return;
    current.child.kill(signal);
    await current[Symbol.asyncDispose]();
    past.push(...current.lines);
    current = undefined;
  };
  return {
    name,
    get running() {
      return current !== undefined && current.child.exitCode === null && current.child.signalCode === null;
    },
    get log() {
      return [...past, ...(current?.lines ?? [])];
    },
    start(more = []) {
      if (current) throw new Error(`${name} runs already`);
      current = startNewleaf([
        "webhook", "--kubeconfig", kubeconfig, "--namespace", namespace, "--pod", name,
        "--listen", `${address.host}:${address.port}`, "--admin", "off", ...args, ...more,
      ]); // biome-ignore format: an option and its value
    },
    async ready(timeoutMs = 30_000) {
      if (!current) throw new Error(`${name} does not run`);
      await current.line(/"msg":"ready"/, timeoutMs);
    },
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    leaf: () => servedLeaf(address),
  };
}
