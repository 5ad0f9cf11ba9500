/**
 * `newleaf ca`, a small certificate authority for development in one directory, and `newleaf inspect`, what
 * certificates, keys, bundles, requests and revocation lists say and what about them will break.
 *
 * ```sh
 * newleaf ca init && newleaf ca issue backend && newleaf inspect newleaf-ca/issued/backend
 * ```
 * @module
 */
import { type Command, defineCommandGroup } from "@newleaf/daemon";
import { initCommand } from "./init-command.ts";
import { inspectCommand } from "./inspect/inspect-command.ts";
import { issueCommand } from "./issue-command.ts";
import { listCommand } from "./list-command.ts";
import { renewCommand } from "./renew-command.ts";
import { crlCommand, revokeCommand } from "./revoke-command.ts";

export const commands: readonly Command[] = [
  defineCommandGroup({
    name: "ca",
    summary: "a small certificate authority for development",
    description:
      "A root in a directory of its own, for trying things out and for tests. Certificates are written so that a " +
      "program that watches their directory picks each renewal up whole.",
    commands: [initCommand, issueCommand, renewCommand, revokeCommand, crlCommand, listCommand],
  }),
  inspectCommand,
];

export { CaError, type CaErrorCode } from "./error.ts";
