import { type Clock, systemClock } from "./clock.ts";

/** What one check found. `reason` is one line in people's words; `details` is for machines. */
export interface CheckResult {
  readonly ok: boolean;
  readonly reason?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export type Check = () => CheckResult | Promise<CheckResult>;

export interface HealthReport {
  readonly ok: boolean;
  readonly checks: Readonly<Record<string, CheckResult>>;
}

/** The named checks of one process behind `/livez` and `/readyz`. */
export interface Health {
  /** Liveness says only whether a restart would help: never let it depend on a certificate or an upstream. */
  addLiveness(name: string, check: Check): Disposable;
  /** Readiness says whether this process can serve validly. */
  addReadiness(name: string, check: Check): Disposable;
  liveness(): Promise<HealthReport>;
  readiness(): Promise<HealthReport>;
  /** From now on readiness fails with this reason; cannot be undone. */
  shutDown(reason: string): void;
}

/** A check that throws, or takes longer than `timeoutMs` (default 1 s), counts as failed. */
export function createHealth(options: { timeoutMs?: number; clock?: Clock } = {}): Health {
  const { timeoutMs = 1_000, clock = systemClock } = options;
  const live = new Map<string, Check>();
  const ready = new Map<string, Check>();
  return {
    addLiveness: (name, check) => register(live, name, check),
    addReadiness: (name, check) => register(ready, name, check),
    liveness: () => report(live, timeoutMs, clock),
    readiness: () => report(ready, timeoutMs, clock),
    shutDown(reason) {
      ready.set("shutdown", () => ({ ok: false, reason }));
    },
  };
}

function register(checks: Map<string, Check>, name: string, check: Check): Disposable {
  checks.set(name, check);
  return {
    [Symbol.dispose]() {
      if (checks.get(name) === check) checks.delete(name);
    },
  };
}

async function report(
  checks: ReadonlyMap<string, Check>,
  timeoutMs: number,
  clock: Clock,
): Promise<HealthReport> {
  const results = await Promise.all(
    [...checks].map(async ([name, check]) => [name, await settle(check, timeoutMs, clock)] as const),
  );
  return { ok: results.every(([, result]) => result.ok), checks: Object.fromEntries(results) };
}

async function settle(check: Check, timeoutMs: number, clock: Clock): Promise<CheckResult> {
  let timer: { cancel(): void } | undefined;
  const late = new Promise<CheckResult>((resolve) => {
    timer = clock.setTimeout(
      () => resolve({ ok: false, reason: `no answer within ${timeoutMs} ms` }),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([check(), late]);
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  } finally {
    timer?.cancel();
  }
}
