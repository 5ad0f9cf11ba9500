import { defineCommand, duration, jsonOption, type LeafCommand } from "@newleaf/daemon";
import { findParts } from "./find-parts.ts";
import { renderSpiffeResult } from "./spiffe-result.ts";

/** `newleaf demo spiffe`. */
export const spiffeCommand: LeafCommand = defineCommand({
  name: "spiffe",
  summary:
    "a database that nobody tells of its new SVID, the outage, the diagnosis, and the closed loop under load",
  description: [
    "A SPIFFE trust domain with SVIDs that live for seconds. Act one: the helper writes the database's files and tells",
    "nobody; new sessions fail when what it read at its start has expired, and the doctor says why. Act two: the helper",
    "tells it and proves by handshakes what it serves; a frontend, Envoy, a backend and the database work under load.",
    "The database is PostgreSQL where the machine has it, otherwise a stand-in with its habit; Envoy is found in PATH or",
    "by NEWLEAF_ENVOY, otherwise left out. Exits with 1 if the outage did not come, or was not explained, if a request",
    "failed in act two, or a rotation was not proved.",
  ].join(" "),
  examples: [
    { command: "newleaf demo spiffe", note: "both acts, in less than a minute" },
    { command: "newleaf demo spiffe --duration 10m --json", note: "longer, for a machine to read" },
  ],
  options: {
    duration: {
      flag: "--duration <time>",
      description: "how long both acts take together",
      schema: duration({ min: "20s", max: "24h" }),
      default: "40s",
    },
    json: jsonOption,
  },
  async run(config, context) {
    // What only the running demo needs (gRPC above all) is loaded now, so that help and completion stay fast.
    const { runSpiffeDemo } = await import("./run-spiffe-demo.ts");
    const result = await runSpiffeDemo({ duration: config.duration, parts: findParts(context.env) }, context);
    const { stdout, style } = context;
    stdout.write(config.json ? `${JSON.stringify(result)}\n` : renderSpiffeResult(result, style));
    if (result.interrupted) context.signal.throwIfAborted();
    return result.problems.length === 0 ? 0 : 1;
  },
});
