import { constants } from "node:os";
import { resolve } from "node:path";
import { checkedTexts, duration, type TypedOption, usageError, z } from "@newleaf/daemon";
import { parseTarget } from "@newleaf/rotation";

/** Where a follower writes the certificate, whom it tells, and where it looks whether that was enough. */
export interface OutputConfig {
  readonly out: string;
  readonly publish: "directory" | "files";
  readonly keyMode: number;
  readonly pid: number | undefined;
  readonly pidFile: string | undefined;
  readonly signal: NodeJS.Signals;
  readonly exec: readonly string[] | undefined;
  readonly execTimeout: number;
  readonly verify: readonly string[];
  readonly verifyName: string | undefined;
  readonly verifyTimeout: number;
}

export const outputOptions: { readonly [K in keyof OutputConfig]: TypedOption<OutputConfig[K]> } = {
  out: {
    flag: "--out <dir>",
    description: "where tls.crt, tls.key and ca.crt are written, all at once; must exist",
    schema: z.string().min(1),
  },
  publish: {
    flag: "--publish <how>",
    description: "directory: one swap of links, as the kubelet does; files: one rename after the other",
    schema: z.enum(["directory", "files"]),
    default: "directory",
  },
  keyMode: {
    flag: "--key-mode <mode>",
    description: "of tls.key, such as 0640 for its group",
    schema: z
      .string()
      .regex(/^0?[0-7]{3}$/, "expected an octal file mode such as 0640")
      .transform((text) => Number.parseInt(text, 8)),
    default: "0600",
  },
  pid: {
    flag: "--pid <pid>",
    description: "the process to signal once the files are written",
    schema: z.coerce.number().int().min(2).optional(),
  },
  pidFile: {
    flag: "--pid-file <file>",
    description: "or a file whose first line is its id",
    schema: z.string().min(1).optional(),
  },
  signal: {
    flag: "--signal <name>",
    description: "which signal that process gets",
    schema: z.custom<NodeJS.Signals>(
      (name) => typeof name === "string" && Object.hasOwn(constants.signals, name),
      "is no signal, such as SIGHUP",
    ),
    default: "SIGHUP",
  },
  exec: {
    flag: "--exec <command>",
    description: "what to run once the files are written; split at spaces, without a shell",
    schema: z
      .string()
      .transform((text) => text.split(/\s+/).filter((word) => word !== ""))
      .refine((words) => words.length > 0, "is no command")
      .optional(),
  },
  execTimeout: {
    flag: "--exec-timeout <duration>",
    description: "how long that may take before it is killed and run again",
    schema: duration({ min: "1ms", max: "1h" }),
    default: "10s",
  },
  verify: {
    flag: "--verify <target>",
    description: "where to look whether the new certificate is served: HOST:PORT or a URL",
    schema: checkedTexts((text) => parseTarget(text), {
      problem: "is no target",
      hint: "write HOST:PORT, or a URL such as https://127.0.0.1:8443",
    }),
    repeatable: true,
  },
  verifyName: {
    flag: "--verify-name <name>",
    description: "the server name to ask for there",
    schema: z.string().min(1).optional(),
  },
  verifyTimeout: {
    flag: "--verify-timeout <duration>",
    description: "how long the new certificate may take to be served, before the process is told again",
    schema: duration({ min: "1ms", max: "1h" }),
    default: "10s",
  },
};

export function checkOutputConfig(config: OutputConfig, certs: string | undefined): void {
  if (config.pid !== undefined && config.pidFile !== undefined) {
    throw usageError("--pid and --pid-file exclude each other", "name the process once");
  }
  if (certs !== undefined && resolve(certs) === resolve(config.out)) {
    throw usageError("--out is the directory of --certs", "write into a directory of its own");
  }
}
