import type { Output } from "../command.ts";

/** Aborts when the reader of stdout went away (`newleaf inspect … | head`): a reason to stop, not to crash. */
export function watchBrokenPipe(stdout: Output): AbortSignal {
  const controller = new AbortController();
  const listener = (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    controller.abort(error);
  };
  // Never removed: writes still queued may fail after the command has ended.
  stdout.on("error", listener);
  return controller.signal;
}
