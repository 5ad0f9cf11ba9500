/**
 * `newleaf helper`, a drop-in for spiffe-helper: writes SPIFFE credentials to disk as one set, reloads the processes
 * that read them, and proves with a handshake that they are served.
 *
 * ```ts
 * import { helperArguments, helperCommand } from "@newleaf/helper";
 *
 * const argv = helperArguments(["-config", "helper.conf", "-daemon-mode=false"]);
 * ```
 * @module
 */
import type { Command } from "@newleaf/daemon";
import { helperCommand } from "./helper-command.ts";

export { HelperError, type HelperErrorCode } from "./error.ts";
export { parseHcl } from "./hcl/parse.ts";
export type { HclItem, HclList, HclObject, HclScalar, HclValue, Place } from "./hcl/value.ts";
export { helperArguments } from "./helper-command.ts";
export { helperCommand };

/** The commands of this program, for the command line to find. */
export const commands: readonly Command[] = [helperCommand];
