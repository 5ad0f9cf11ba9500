import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";

/** A program of which each line, read or written, is a JSON document. */
export interface Conversation extends AsyncDisposable {
  readonly pid: number;
  say(message: object): void;
  /** The next line; rejects when the program has ended, or says nothing for a minute. */
  next(): Promise<unknown>;
}

const answerTimeoutMs = 60_000;

export interface ConversationCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Which stream its lines are on. `stdout` (default): stderr is shown beside ours. `stderr`: stdout is ignored. */
  readonly from?: "stdout" | "stderr";
}

/** Starts one. Disposal ends it and waits for that. */
export async function startConversation(command: ConversationCommand): Promise<Conversation> {
  const { program, args, env, from = "stdout" } = command;
  const child = spawn(program, args, {
    stdio: from === "stdout" ? ["pipe", "pipe", "inherit"] : ["pipe", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
  const { stdin, [from]: output } = child;
  if (stdin === null || output === null) throw new Error("a spawned process without pipes");
  await once(child, "spawn");
  const exited = once(child, "exit");
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const lines = createInterface({ input: output })[Symbol.asyncIterator]();
  // Whoever has ended is noticed by its missing answer.
  stdin.on("error", () => {});
  return {
    pid: child.pid ?? 0,
    say: (message) => void stdin.write(`${JSON.stringify(message)}\n`),
    async next() {
      const line = await Promise.race([lines.next(), delay(answerTimeoutMs, undefined, { ref: false })]);
      if (line === undefined) throw new Error(`${program} said nothing for ${answerTimeoutMs} ms`);
      if (line.done) throw new Error(`${program} has ended`);
      return JSON.parse(line.value);
    },
    async [Symbol.asyncDispose]() {
      kill();
      await exited;
      process.off("exit", kill);
    },
  };
}
