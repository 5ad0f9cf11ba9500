import { type ChildProcess, spawn } from "node:child_process";
import type { Clock } from "../clock.ts";
import { KubeError } from "../error.ts";
import type { ExecPlugin } from "../kube-config.ts";
import type { Environment } from "../kubeconfig.ts";

const DEADLINE_MS = 60_000;
const MAX_OUTPUT_BYTES = 2 ** 20;

/**
 * What the plugin printed. Never through a shell, with a deadline and a limit of output, and it is killed with what it
 * started when it goes beyond them. Rejects with ERR_KUBE_EXEC, in whose message nothing of the output is.
 */
export async function runPlugin(
  plugin: ExecPlugin,
  options: {
    readonly clock: Clock;
    readonly env: Environment;
    readonly interactive: boolean;
    /** KUBERNETES_EXEC_INFO. */
    readonly info: string;
    readonly signal: AbortSignal;
  },
): Promise<string> {
  const { signal, clock } = options;
  const interactive = options.interactive && plugin.interactiveMode !== "Never";
  if (plugin.interactiveMode === "Always" && !interactive)
    throw failed(plugin, "wants to ask questions, and nobody is there to answer");
  signal.throwIfAborted();
  const child = start(plugin, options, interactive);
  const kill = (): void => {
    killGroup(child, interactive);
    // What left the group may hold the other end of this open for ever.
    child.stdout?.destroy();
  };
  signal.addEventListener("abort", kill, { once: true });
  let late = false;
  const timer = clock.setTimeout(() => {
    late = true;
    kill();
  }, DEADLINE_MS);
  try {
    const { code, output } = await finished(child, kill);
    signal.throwIfAborted();
    if (late) throw failed(plugin, `did not end within ${DEADLINE_MS} ms`);
    if (output === undefined) throw failed(plugin, `printed more than ${MAX_OUTPUT_BYTES} octets`);
    if (code !== 0)
      throw failed(plugin, `ended with ${typeof code === "number" ? `exit code ${code}` : code}`);
    return output;
  } catch (error) {
    if (error instanceof KubeError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw failed(plugin, "was not found");
    throw failed(plugin, `could not be run: ${code ?? "unknown"}`);
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", kill);
  }
}

function start(
  plugin: ExecPlugin,
  { env, info }: { readonly env: Environment; readonly info: string },
  interactive: boolean,
): ChildProcess {
  return spawn(plugin.command, plugin.args, {
    env: { ...env, ...plugin.env, KUBERNETES_EXEC_INFO: info },
    // What it says to people may hold secrets, so that without people it goes nowhere.
    stdio: [interactive ? "inherit" : "ignore", "pipe", interactive ? "inherit" : "ignore"],
    shell: false,
    windowsHide: true,
    // A group of its own, to be killed as one; at a terminal it would lose the terminal by that.
    detached: !interactive,
  });
}

/** The end of the process; without output where that was beyond the limit. */
function finished(
  child: ChildProcess,
  kill: () => void,
): Promise<{ readonly code: number | NodeJS.Signals; readonly output: string | undefined }> {
  const chunks: Buffer[] = [];
  let length = 0;
  child.stdout?.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length <= MAX_OUTPUT_BYTES) chunks.push(chunk);
    else kill();
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      const output = length <= MAX_OUTPUT_BYTES ? Buffer.concat(chunks).toString() : undefined;
      resolve({ code: code ?? signal ?? "SIGKILL", output });
    });
  });
}

function killGroup(child: ChildProcess, interactive: boolean): void {
  if (child.pid === undefined) return;
  if (interactive) {
    child.kill("SIGKILL");
    return;
  }
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}

function failed({ command, installHint }: ExecPlugin, why: string): KubeError {
  const hint = installHint === undefined ? "" : `; hint: ${installHint.trim()}`;
  return new KubeError("ERR_KUBE_EXEC", `credential plugin ${command} ${why}${hint}`);
}
