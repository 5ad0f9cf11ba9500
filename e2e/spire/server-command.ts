import { run } from "../process.ts";

/** Runs a command of spire-server over its admin socket; rejects with what the command said. */
export async function runSpireServer(
  program: string,
  adminSocket: string,
  args: readonly string[],
  input?: string,
): Promise<string> {
  const options = { timeoutMs: 15_000, ...(input === undefined ? {} : { input }) };
  const { code, stdout, stderr } = await run(program, [...args, "-socketPath", adminSocket], options);
  if (code !== 0) throw new Error(`spire-server ${args.slice(0, 2).join(" ")}: ${stderr || stdout}`);
  return stdout;
}
