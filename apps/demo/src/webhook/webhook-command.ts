import { defineCommand, duration, jsonOption, type LeafCommand } from "@newleaf/daemon";
import { renderWebhookResult } from "./webhook-result.ts";

/** `newleaf demo webhook`. */
export const webhookDemoCommand: LeafCommand = defineCommand({
  name: "webhook",
  summary: "three replicas of newleaf webhook get, share, renew and roll their certificate under admissions",
  description: [
    "A Kubernetes API in this process, with RBAC and a kubelet, and three replicas of newleaf webhook with certificates",
    "that live for seconds, asked by the API server twenty times a second under failurePolicy Fail. They begin with",
    "nothing; the leader is killed, the Secret deleted, the caBundle wiped, the CA rolled over. Exits with 1 if an",
    "admission failed for any other reason than its manifest, if a repair or the rollover did not come, if RBAC forbade",
    "something, or if a follower polled.",
  ].join(" "),
  examples: [
    { command: "newleaf demo webhook", note: "all of it, in less than a minute" },
    { command: "newleaf demo webhook --duration 10m --json", note: "longer, for a machine to read" },
  ],
  options: {
    duration: {
      flag: "--duration <time>",
      description: "how long manifests are sent",
      schema: duration({ min: "20s", max: "24h" }),
      default: "40s",
    },
    json: jsonOption,
  },
  async run(config, context) {
    // What only the running demo needs is loaded now, so that help and completion stay fast.
    const { runWebhookDemo } = await import("./run-webhook-demo.ts");
    const result = await runWebhookDemo({ duration: config.duration }, context);
    const { stdout, style } = context;
    stdout.write(config.json ? `${JSON.stringify(result)}\n` : renderWebhookResult(result, style));
    if (result.interrupted) context.signal.throwIfAborted();
    return result.problems.length === 0 ? 0 : 1;
  },
});
