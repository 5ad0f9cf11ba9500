/**
 * `newleaf lint`: manifests whose certificates cannot rotate, found before they reach a cluster, by the same rules as the
 * admission webhook applies.
 *
 * ```sh
 * helm template web ./chart | newleaf lint -
 * ```
 * @module
 */
import type { Command } from "@newleaf/daemon";
import { lintCommand } from "./lint/lint-command.ts";

export const commands: readonly Command[] = [lintCommand];
