import type { CommandContext } from "./command.ts";
import { type DaemonFace, type DaemonWork, startDaemon } from "./start-daemon.ts";

/** What a long-running program is made of that needs nothing before it can begin. */
export type DaemonParts = DaemonFace & DaemonWork;

/** {@link startDaemon} and `run` in one. */
export async function runDaemon(context: CommandContext, parts: DaemonParts): Promise<void> {
  await using daemon = await startDaemon(context, parts);
  await daemon.run(parts);
}
