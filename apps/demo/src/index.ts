/**
 * The seed's whole story in one process tree, on embedded parts.
 *
 * ```ts
 * import { commands } from "@newleaf/demo"; // registered by apps/cli
 * ```
 * @module
 */
import type { Command } from "@newleaf/daemon";
import { demoCommand } from "./demo-command.ts";

export const commands: readonly Command[] = [demoCommand];
