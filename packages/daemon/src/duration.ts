import { z } from "zod";
import { DaemonError } from "./error.ts";

const unitMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;
const pattern =
  /^(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?$/;

/** Reads `500ms`, `5s`, `10m`, `1h`, `1h30m`, `90d` (units in this order, each once) or `0` as milliseconds. */
export function parseDuration(text: string): number {
  const trimmed = text.trim();
  if (trimmed === "0") return 0;
  const match = trimmed.length > 0 && trimmed.length <= 64 ? pattern.exec(trimmed) : null;
  if (match === null) {
    const problem = /^\d+(\.\d+)?$/.test(trimmed) ? "has no unit" : "is not a duration";
    throw new DaemonError("ERR_DAEMON_CONFIG", `"${trimmed.slice(0, 64)}" ${problem}`, {
      hint: durationHint,
    });
  }
  const total = Object.values(unitMs).reduce((sum, ms, index) => sum + Number(match[index + 1] ?? 0) * ms, 0);
  if (!Number.isSafeInteger(Math.round(total))) {
    throw new DaemonError("ERR_DAEMON_CONFIG", `"${trimmed}" is too long for a duration`, {
      hint: durationHint,
    });
  }
  return Math.round(total);
}

/** The shortest exact form that {@link parseDuration} reads back: `1h30m`, `500ms`, `0s`. */
export function formatDuration(ms: number): string {
  let rest = Math.round(Math.abs(ms));
  let text = "";
  for (const [unit, size] of Object.entries(unitMs)) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return (ms < 0 && text !== "" ? "-" : "") + (text === "" ? "0s" : text);
}

/** Milliseconds as machines are told them: to the microsecond. */
export function roundMs(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

/** Schema of a duration option: text in, milliseconds out. */
export function duration(limits: { min?: string; max?: string } = {}): z.ZodType<number, string> {
  return z.string().transform((text, context) => {
    try {
      const ms = parseDuration(text);
      const { min, max } = limits;
      if (min !== undefined && ms < parseDuration(min))
        return refuse(context, `is shorter than ${min}`, text);
      if (max !== undefined && ms > parseDuration(max)) return refuse(context, `is longer than ${max}`, text);
      return ms;
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message, params: { hint: durationHint } });
      return z.NEVER;
    }
  });
}

const durationHint = "write a number with a unit, such as 500ms, 5s, 10m, 1h or 1h30m";

function refuse(context: z.RefinementCtx, problem: string, text: string): never {
  context.addIssue({ code: "custom", message: `"${text}" ${problem}` });
  return z.NEVER;
}
