import { spawn } from "node:child_process";
import { failure } from "./error.ts";

const OUTPUT_KEPT = 2_048;

/**
 * Runs a program to its end, without a shell; killed when the signal aborts. Rejects with ERR_DAEMON_FAILED unless it
 * ended with 0; the last of what it said is part of the message.
 */
export function runChild([program = "", ...words]: readonly string[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = "";
    const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"], signal, killSignal: "SIGKILL" });
    const keep = (chunk: Buffer): void => {
      said = (said + chunk.toString("utf8")).slice(-OUTPUT_KEPT);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const fail = (how: string, cause?: unknown): void => {
      const output = said.trim().replaceAll(/\s*\n\s*/g, "; ");
      reject(failure(`${program} ${how}${output === "" ? "" : `: ${output}`}`, { cause }));
    };
    child.once("error", (error: NodeJS.ErrnoException) => {
      fail(error.name === "AbortError" ? "did not end in time" : `cannot be run (${error.code})`, error);
    });
    child.once("close", (code, killedBy) =>
      code === 0 ? resolve() : fail(`ended with ${code ?? killedBy}`),
    );
  });
}
