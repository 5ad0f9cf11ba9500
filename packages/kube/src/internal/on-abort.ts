import { setMaxListeners } from "node:events";

/**
 * Calls back when the signal aborts, at once if it has; what is returned lets go of it. A process has one signal for
 * all that lives in it, so Node.js is told not to warn of many listeners.
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (!signal) return () => {};
  if (signal.aborted) callback();
  else {
    setMaxListeners(0, signal);
    signal.addEventListener("abort", callback, { once: true });
  }
  return () => signal.removeEventListener("abort", callback);
}
