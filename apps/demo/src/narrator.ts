import type { CommandContext } from "@newleaf/daemon";
import type { ClientTally } from "./demo-result.ts";

export type EventKind = "step" | "rotation" | "good" | "bad";

/** What a person sees while a demo runs. */
export interface Narrator extends Disposable {
  /** One event, told in order. */
  tell(kind: EventKind, text: string): void;
}

/** What the live view shows above the latest events. */
export interface DemoFacts {
  readonly title: string;
  readonly elapsedMs: number;
  readonly durationMs: number;
  /** What is served, by whom. */
  readonly headlines: readonly string[];
  readonly clients: Readonly<Record<string, ClientTally>>;
  readonly refused: Readonly<Record<string, number>>;
}

const LATEST = 12;
const FRAME_MS = 200;

/** A live view where stderr is a terminal, a line for each event elsewhere; stdout stays free for the result. */
export function createNarrator(context: CommandContext, facts: () => DemoFacts): Narrator {
  const { stderr, style } = context;
  const started = Date.now();
  const marks: Readonly<Record<EventKind, string>> = {
    step: style.bold("»"),
    rotation: style.cyan("↻"),
    good: style.green("✓"),
    bad: style.red("✗"),
  };
  const line = (kind: EventKind, text: string): string =>
    `${style.dim(`${((Date.now() - started) / 1000).toFixed(1).padStart(5)}s`)} ${marks[kind]} ${text}`;
  if (stderr.isTTY !== true) {
    return { tell: (kind, text) => void stderr.write(`${line(kind, text)}\n`), [Symbol.dispose]: () => {} };
  }

  const latest: string[] = [];
  let drawn = 0;
  const draw = (): void => {
    const rows = [...renderFacts(facts(), style), "", ...latest].map((row) =>
      truncate(row, stderr.columns ?? 100),
    );
    stderr.write(`${drawn > 0 ? `\x1b[${drawn}A` : ""}\x1b[J${rows.join("\n")}\n`);
    drawn = rows.length;
  };
  const timer = setInterval(draw, FRAME_MS);
  return {
    tell(kind, text) {
      latest.push(line(kind, text));
      if (latest.length > LATEST) latest.shift();
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      draw();
    },
  };
}

function renderFacts(facts: DemoFacts, style: CommandContext["style"]): string[] {
  const share = Math.min(1, facts.elapsedMs / facts.durationMs);
  const bar = `${"█".repeat(Math.round(share * 30))}${"░".repeat(30 - Math.round(share * 30))}`;
  const clients = Object.entries(facts.clients).map(([name, { requests, failures }]) => {
    const failed = failures === 0 ? style.green("0 failed") : style.red(`${failures} failed`);
    return `  ${name.padEnd(18)}${String(requests).padStart(7)} requests  ${failed}`;
  });
  const refused = Object.entries(facts.refused).map(([code, count]) => `${code} ${count}`);
  return [
    `${style.bold(facts.title)}  ${style.cyan(bar)}  ${(facts.elapsedMs / 1000).toFixed(0)} s`,
    ...facts.headlines,
    ...clients,
    `refused  ${refused.join(", ") || "none yet"}`,
  ];
}

/** Cuts to the terminal's width, so that each row is one line; colour codes take no room. */
function truncate(text: string, columns: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character begins a colour code
  const pieces = text.split(/(\x1b\[[0-9;]*m)/);
  let room = columns - 1;
  return pieces
    .map((piece, index) => {
      if (index % 2 === 1) return piece;
      const kept = piece.slice(0, Math.max(0, room));
      room -= kept.length;
      return kept;
    })
    .join("");
}
