import type { DestinationStream } from "pino";
import { compactFields } from "./internal/compact-fields.ts";

/** What every package logs through: a constant message, data in fields, never keys or PEM. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LoggerOptions {
  /** A stream with a file descriptor is written to by descriptor; default level `info`. */
  readonly stream: LogStream;
  readonly level?: LogLevel;
  /** Default: `pretty` on a terminal, else `json`. */
  readonly format?: "json" | "pretty";
  readonly colors?: boolean;
  /**
   * Default true: every line is written before the call returns, so none is lost however the process ends.
   * False buffers up to 4 KiB for programs that log per request; `flush` then runs at exit and every second.
   */
  readonly sync?: boolean;
}

export interface LogStream {
  write(text: string): unknown;
  readonly fd?: number;
  readonly isTTY?: boolean;
}

export interface RootLogger extends Logger {
  flush(): void;
}

/** Logs nothing: the default of what takes an optional logger. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Creates the one logger of a process: JSON lines with ISO times, or pretty lines for people. */
export async function createLogger(options: LoggerOptions): Promise<RootLogger> {
  const { stream, level = "info", sync = true } = options;
  const pretty = (options.format ?? (stream.isTTY ? "pretty" : "json")) === "pretty";
  const { default: pino } = await import("pino");
  const raw =
    stream.fd === undefined
      ? undefined
      : pino.destination({
          dest: stream.fd,
          sync,
          ...(sync ? {} : { minLength: 4_096, periodicFlush: 1_000 }),
        });
  const target: DestinationStream = raw ?? { write: (line) => void stream.write(line) };
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pretty ? await prettyStream(target, options.colors ?? stream.isTTY === true) : target,
  );
  return Object.assign(logger, { flush: () => raw?.flushSync() });
}

async function prettyStream(target: DestinationStream, colors: boolean): Promise<DestinationStream> {
  const { default: pinoPretty } = await import("pino-pretty");
  const format = pinoPretty.prettyFactory({
    colorize: colors,
    translateTime: "SYS:HH:MM:ss.l",
    singleLine: true,
    ignore: "pid,hostname",
  });
  return {
    write(line) {
      const text = format(compactFields(JSON.parse(line)));
      if (text !== undefined) target.write(text);
    },
  };
}
