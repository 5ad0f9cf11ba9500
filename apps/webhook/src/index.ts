/**
 * `newleaf webhook`: an admission webhook that refuses manifests whose certificates cannot rotate, and keeps its own
 * certificate by electing one of its replicas. `newleaf webhook-certs`: that certificate for webhooks in any language.
 * `newleaf lint`: the same rules before anything reaches a cluster.
 *
 * ```sh
 * helm template web ./chart | newleaf lint -
 * newleaf webhook --certs /etc/webhook
 * ```
 * @module
 */
import type { Command } from "@newleaf/daemon";
import { webhookCommand } from "./admission/webhook-command.ts";
import { certsCommand } from "./certs/certs-command.ts";
import { lintCommand } from "./lint/lint-command.ts";

export { webhookCommand };

export const commands: readonly Command[] = [webhookCommand, certsCommand, lintCommand];
