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
}

/** Starts one, its stderr beside ours. Disposal ends it and waits for that. */
export async function startConversation({ program, args, env }: ConversationCommand): Promise<Conversation> {
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  await once(child, "spawn");
  const exited = once(child, "exit");
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  // Whoever has ended is noticed by its missing answer.
  child.stdin.on("error", () => {});
  return {
    pid: child.pid ?? 0,
    say: (message) => void child.stdin.write(`${JSON.stringify(message)}\n`),
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
