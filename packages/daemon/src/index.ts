/**
 * What every Newleaf program is made of: commands with typed configuration, tasks, signals, logging, health,
 * metrics and the admin server. Knows no certificates.
 *
 * ```ts
 * export const serve = defineCommand({
 *   name: "serve",
 *   summary: "answer requests",
 *   longRunning: true,
 *   options: { listen: { flag: "--listen <host:port>", description: "where", schema: hostPort() } },
 *   async run(config, context) {
 *     const health = createHealth();
 *     const metrics = await createMetrics();
 *     const tasks = [{ name: "server", run: (signal: AbortSignal) => serve(config.listen, signal) }];
 *     await runDaemon(context, { health, metrics, tasks });
 *   },
 * });
 * ```
 * @module
 */

/** For the schemas of options; re-exported so that every program and this package use one zod. */
export { z } from "zod";
export {
  type AdminOptions,
  type AdminResponse,
  type AdminRoute,
  type AdminServer,
  serveAdmin,
} from "./admin-server.ts";
export { type Backoff, type BackoffOptions, createBackoff, delay } from "./backoff.ts";
export { checkedTexts } from "./checked-texts.ts";
export { type Clock, systemClock } from "./clock.ts";
export {
  type ArgumentDefinition,
  type ArgumentMap,
  type Command,
  type CommandContext,
  type CommandDefinition,
  type CommandGroup,
  type ConfigOf,
  type DaemonSettings,
  defineCommand,
  defineCommandGroup,
  type Example,
  type ExitCode,
  type LeafCommand,
  type OptionDefinition,
  type OptionMap,
  type Output,
  type TypedOption,
} from "./command.ts";
export { type ConfigEntry, type ConfigFile, loadConfigFile, parseConfigFile } from "./config-file.ts";
export { duration, formatDuration, parseDuration, roundMs } from "./duration.ts";
export { DaemonError, type DaemonErrorCode, failure, usageError } from "./error.ts";
export { type Check, type CheckResult, createHealth, type Health, type HealthReport } from "./health.ts";
export { formatHostPort, type HostPort, hostPort, isLoopback, parseHostPort } from "./host-port.ts";
export { jsonOption } from "./internal/common-options.ts";
export {
  createLogger,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  type LogStream,
  logLevels,
  type RootLogger,
  silentLogger,
} from "./logger.ts";
export { type Counter, createMetrics, type Gauge, type Histogram, type Metrics } from "./metrics.ts";
export {
  handleProcessSignals,
  type ProcessSignals,
  type ProcessSignalsOptions,
  type SignalEmitter,
} from "./process-signals.ts";
export { type CommandEntry, type Program, type ProgramHost, runProgram } from "./program.ts";
export {
  createFilePublisher,
  type FilePublisher,
  type FilePublisherOptions,
  type PublisherWords,
} from "./publish/file-publisher.ts";
export type { FileSet, OutputFile } from "./publish/file-set.ts";
export { insideName } from "./publish/inside-name.ts";
export type { Owner } from "./publish/write-new-file.ts";
export { readBounded } from "./read-bounded.ts";
export {
  type ConfigProblem,
  type ConfigSources,
  type Resolution,
  resolveArguments,
  resolveOptions,
} from "./resolve-config.ts";
export { runChild } from "./run-child.ts";
export { type DaemonParts, runDaemon } from "./run-daemon.ts";
export { parseSocketPath } from "./socket-path.ts";
export { type Daemon, type DaemonFace, type DaemonWork, startDaemon } from "./start-daemon.ts";
export { createStyle, type Style, wantsColor } from "./style.ts";
export { suggest } from "./suggest.ts";
export { type RunTasksOptions, runTasks, type Task } from "./tasks.ts";
export { wholeNumber } from "./whole-number.ts";
