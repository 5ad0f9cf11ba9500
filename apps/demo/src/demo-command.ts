import { defineCommand, duration, jsonOption, type LeafCommand } from "@newleaf/daemon";
import { renderResult } from "./render-result.ts";
import { runDemo } from "./run-demo.ts";
import { spiffeCommand } from "./spiffe/spiffe-command.ts";
import { webhookDemoCommand } from "./webhook/webhook-command.ts";

export const demoCommand: LeafCommand = defineCommand({
  name: "demo",
  summary: "rotations under load, the rogue, the legacy application and a CA rollover, on embedded parts",
  description: [
    "An authority and CSI-like volumes with certificates that live for seconds; a backend; the clients of this process",
    "(https.Agent, undici) and of this machine (curl, openssl, python3, where present); a rogue that must be refused; a",
    "legacy application that reads its certificate once and fails when it expires; a CA rollover in the middle.",
    "Exits with 1 if any request failed, anything was let in, or a rotation was not proved.",
  ].join(" "),
  examples: [
    { command: "newleaf demo", note: "half a minute, some forty rotations" },
    {
      command: "newleaf demo --duration 10m --rotate-every 2s --json",
      note: "longer, for a machine to read",
    },
  ],
  options: {
    duration: {
      flag: "--duration <time>",
      description: "how long the clients run",
      schema: duration({ min: "10s", max: "24h" }),
      default: "30s",
    },
    rotateEvery: {
      flag: "--rotate-every <time>",
      description: "how often each certificate is replaced",
      schema: duration({ min: "250ms", max: "1h" }),
      default: "750ms",
    },
    json: jsonOption,
  },
  commands: [spiffeCommand, webhookDemoCommand],
  async run(config, context) {
    const result = await runDemo(config, context);
    context.stdout.write(config.json ? `${JSON.stringify(result)}\n` : renderResult(result, context.style));
    if (result.interrupted) context.signal.throwIfAborted();
    return result.problems.length === 0 ? 0 : 1;
  },
});
