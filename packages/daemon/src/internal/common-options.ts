import { z } from "zod";
import type { OptionDefinition, OptionMap, TypedOption } from "../command.ts";
import { duration } from "../duration.ts";
import { type HostPort, hostPort } from "../host-port.ts";
import { logLevels } from "../logger.ts";

/** `--json`: machine-readable output on stdout; logs stay on stderr. Spread it into a command's options. */
export const jsonOption: TypedOption<boolean> = {
  flag: "--json",
  description: "machine-readable output on stdout",
  schema: z.boolean(),
  default: false,
};

/** The options every command has beside its own; `longRunning` carries the default of `--admin`. */
export function commonOptions(
  longRunning: { readonly admin: string } | undefined,
  configFile: boolean,
): OptionMap {
  if (longRunning !== undefined) return { ...always, ...configOption, ...daemonOptions(longRunning.admin) };
  return configFile ? { ...always, ...configOption } : always;
}

const always = {
  logLevel: {
    flag: "--log-level <level>",
    description: `least severe log lines to write to stderr: ${logLevels.join(", ")}`,
    schema: z.enum(logLevels),
    default: "info",
  },
} satisfies Record<string, OptionDefinition>;

const configOption = {
  config: {
    flag: "--config <file>",
    description: "YAML file with options by their long names; flags and environment win over it",
    schema: z.string().min(1).optional(),
  },
} satisfies Record<string, OptionDefinition>;

function daemonOptions(adminDefault: string): OptionMap {
  return {
    admin: {
      flag: "--admin <host:port>",
      description: "plain HTTP for /livez, /readyz, /metrics and /rotations, or off",
      schema: adminAddress,
      default: adminDefault,
    },
    grace: {
      flag: "--grace <duration>",
      description: "time to stop in after SIGTERM or SIGINT",
      schema: duration({ max: "24h" }),
      default: "25s",
    },
    shutdownDelay: {
      flag: "--shutdown-delay <duration>",
      description: "keep serving this long after readiness went off, for load balancers to notice",
      schema: duration({ max: "24h" }),
      default: "0s",
    },
  };
}

const adminAddress: z.ZodType<HostPort | undefined> = z.union([
  z.literal("off").transform(() => undefined),
  hostPort(),
]);
