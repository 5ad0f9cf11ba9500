import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import process from "node:process";
import { type Backoff, createBackoff, type Logger } from "@newleaf/daemon";
import type { CommandConfig } from "../config/config.ts";
import { HelperError } from "../error.ts";

export interface SupervisorOptions {
  readonly command: CommandConfig;
  /** Sent when there is something new; without it the program is only started. */
  readonly renewSignal: NodeJS.Signals | undefined;
  readonly logger: Logger;
  /** After this time a program that ends is taken to have worked: the delay begins at the bottom again. */
  readonly steadyMs?: number;
  readonly backoff?: { readonly baseMs: number; readonly maxMs: number };
  /** Emits `exit` when our process ends, in whatever way: the program must not outlive it. */
  readonly host?: Pick<NodeJS.EventEmitter, "on" | "off">;
  /** How old a program must be to be signalled: 500 ms. */
  readonly settleMs?: number;
}

/** The program that the helper runs. */
export interface Supervisor {
  /** Starts the program, or signals the one that runs. Rejects when that is not possible. */
  renew(): Promise<void>;
  readonly running: boolean;
  /** Passes a signal on to the program, if it runs. */
  forward(signal: NodeJS.Signals): void;
  /** The exit code once the program has ended and is not to be started again; 128 and more for a signal. */
  readonly ended: Promise<number>;
  /** Ends the program with this signal (if any), with SIGKILL after `graceMs`, and waits for it. */
  stop(signal: NodeJS.Signals | undefined, graceMs: number): Promise<void>;
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  return new ProgramSupervisor(options);
}

class ProgramSupervisor implements Supervisor {
  readonly ended: Promise<number>;
  readonly #options: SupervisorOptions;
  readonly #backoff: Backoff;
  #finish: (code: number) => void = () => {};
  #child: ChildProcess | undefined;
  #exit: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #startedAt = 0;
  #stopping = false;
  #over = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#backoff = createBackoff(options.backoff ?? { baseMs: 500, maxMs: 30_000 });
    this.ended = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  async renew(): Promise<void> {
    if (this.#stopping || this.#over) return;
    const { renewSignal, command, logger, settleMs = 500 } = this.#options;
    if (this.#child === undefined) return this.#start();
    if (renewSignal === undefined) return;
    // A program that has just begun may not have its handler yet, and most signals would end it.
    const ageMs = performance.now() - this.#startedAt;
    if (ageMs < settleMs) {
      await Promise.race([this.#exit, new Promise((resolve) => setTimeout(resolve, settleMs - ageMs))]);
      return this.renew();
    }
    if (!this.#child.kill(renewSignal)) {
      throw new HelperError("ERR_HELPER_COMMAND", `${renewSignal} could not be sent to ${command.program}`);
    }
    logger.info({ program: command.program, pid: this.#child.pid, signal: renewSignal }, "command signalled");
  }

  forward(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async stop(signal: NodeJS.Signals | undefined, graceMs: number): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    if (this.#child === undefined) return this.#end(0);
    if (signal !== undefined) this.#child.kill(signal);
    const kill = setTimeout(() => {
      this.#options.logger.warn(
        { program: this.#options.command.program, graceMs },
        "command did not end, killing it",
      );
      this.#child?.kill("SIGKILL");
    }, graceMs);
    await this.#exit;
    clearTimeout(kill);
  }

  async #start(): Promise<void> {
    clearTimeout(this.#timer);
    const { command, logger } = this.#options;
    const startedAt = performance.now();
    this.#startedAt = startedAt;
    const child = spawn(command.program, command.arguments, { stdio: "inherit" });
    this.#child = child;
    // A second SIGTERM, or a crash, ends us without a word to anybody.
    const { host = process } = this.#options;
    const kill = (): void => void child.kill("SIGKILL");
    host.on("exit", kill);
    this.#exit = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#child = undefined;
        host.off("exit", kill);
        resolve();
        this.#exited(code, signal, performance.now() - startedAt);
      });
      child.once("error", () => {
        if (child.pid !== undefined) return;
        this.#child = undefined;
        host.off("exit", kill);
        resolve();
      });
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (cause) => reject(this.#notStarted(cause)));
    });
    logger.info({ program: command.program, pid: child.pid }, "command started");
  }

  #notStarted(cause: NodeJS.ErrnoException): HelperError {
    const { command } = this.#options;
    const missing = cause.code === "ENOENT";
    // As shells have it: 127 for what is not there, 126 for what cannot be run.
    if (command.wrapped && command.restart === "no") this.#end(missing ? 127 : 126);
    const why = missing ? "no such program" : (cause.code ?? cause.message);
    return new HelperError("ERR_HELPER_COMMAND", `cannot start ${command.program}: ${why}`, {
      cause,
      ...(missing ? { hint: "check the path; a name without a slash is looked up in PATH" } : {}),
    });
  }

  #exited(code: number | null, signal: NodeJS.Signals | null, ranMs: number): void {
    const { command, logger, steadyMs = 10_000 } = this.#options;
    const status = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
    const about = { program: command.program, code, signal, ranMs: Math.round(ranMs) };
    const again = command.restart === "always" || (command.restart === "on-failure" && status !== 0);
    if (this.#stopping || !again) {
      if (status === 0 || this.#stopping) logger.info(about, "command ended");
      else logger.warn(about, "command failed");
      if (this.#stopping || command.wrapped) this.#end(status);
      return;
    }
    if (ranMs >= steadyMs) this.#backoff.reset();
    const inMs = this.#backoff.next();
    logger.warn({ ...about, inMs }, "command ended, starting it again");
    this.#restartIn(inMs);
  }

  #restartIn(ms: number): void {
    this.#timer = setTimeout(() => {
      if (this.#child !== undefined || this.#stopping) return;
      this.#start().catch((error: unknown) => {
        const inMs = this.#backoff.next();
        const message = error instanceof Error ? error.message : String(error);
        this.#options.logger.error({ error: message, inMs }, "command cannot be started");
        if (!this.#stopping) this.#restartIn(inMs);
      });
    }, ms);
  }

  #end(code: number): void {
    this.#over = true;
    this.#finish(code);
  }
}
