import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { failure } from "@newleaf/daemon";
import { helperCommand } from "@newleaf/helper";
import { type EmbeddedProgram, type LogLine, startEmbeddedProgram } from "../embedded-program.ts";
import { FILES } from "./database.ts";

export interface DatabaseHelperOptions {
  /** For its configuration. */
  readonly directory: string;
  readonly certificates: string;
  /** Of the Workload API. */
  readonly address: string;
  /** `uid:gid` of the files. */
  readonly owner: string | undefined;
  /** A `reload` block; without one nobody is told. */
  readonly reload?: string;
  readonly onRecord?: (record: HelperRecord) => void;
}

/** A rotation as the helper logs it. Complete: written, and with a `reload` block told and proved by a handshake. */
interface HelperRecord {
  readonly outcome: string;
  readonly sha256: string;
  readonly serialNumber: string;
  readonly at: Date;
  readonly reason: string | undefined;
}

export interface DatabaseHelper extends EmbeddedProgram {
  /** Resolves with the first complete record; rejects after a deadline with what the helper said, or with the signal. */
  firstComplete(signal: AbortSignal): Promise<void>;
}

const FIRST_MS = 15_000;

/** `newleaf helper` beside the database: writes its SVID to the files that it reads. */
export async function startDatabaseHelper(options: DatabaseHelperOptions): Promise<DatabaseHelper> {
  const path = join(options.directory, "helper.conf");
  await writeFile(path, configOf(options));
  let lastRecord = "it has no record of a rotation";
  let completed: () => void = () => {};
  const first = new Promise<true>((resolve) => {
    completed = () => resolve(true);
  });
  const program = startEmbeddedProgram(helperCommand, ["--config", path], (line) => {
    const record = recordOf(line);
    if (record === undefined) return;
    lastRecord = `rotation ${record.outcome}${record.reason === undefined ? "" : `: ${record.reason}`}`;
    options.onRecord?.(record);
    if (record.outcome === "complete") completed();
  });
  return {
    get failure() {
      return program.failure;
    },
    async firstComplete(signal) {
      if (await Promise.race([first, sleep(FIRST_MS, false, { signal, ref: false })])) return;
      throw failure(program.failure ?? `newleaf helper: ${lastRecord}`);
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

function configOf({ address, certificates, owner, reload }: DatabaseHelperOptions): string {
  const lines = [
    `agent_address = ${JSON.stringify(address)}`,
    `cert_dir = ${JSON.stringify(certificates)}`,
    `svid_file_name = "${FILES.certificate}"`,
    `svid_key_file_name = "${FILES.key}"`,
    `svid_bundle_file_name = "${FILES.bundle}"`,
    ...(owner === undefined ? [] : [`file_owner = "${owner}"`]),
    ...(reload === undefined ? [] : [reload]),
  ];
  return `${lines.join("\n")}\n`;
}

function recordOf({ msg = "", time, sha256, serialNumber, reason }: LogLine): HelperRecord | undefined {
  const outcome = /^rotation (complete|stalled|refused|superseded)$/.exec(msg)?.[1];
  if (outcome === undefined || typeof sha256 !== "string" || typeof serialNumber !== "string")
    return undefined;
  return {
    outcome,
    sha256,
    serialNumber,
    at: new Date(time ?? Date.now()),
    reason: typeof reason === "string" ? reason : undefined,
  };
}
