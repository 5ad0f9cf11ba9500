import { DaemonError } from "./error.ts";
import { readBounded } from "./read-bounded.ts";

/** The entries of a YAML config file by option name, each with the place it was written at. */
export interface ConfigFile {
  readonly path: string;
  readonly entries: ReadonlyMap<string, ConfigEntry>;
}

export interface ConfigEntry {
  /** A text, a boolean, or a list of texts; numbers stay as they were written. */
  readonly value: unknown;
  /** `file.yaml:3:9` */
  readonly place: string;
}

const maxBytes = 1_048_576;

/** Reads a config file: one YAML mapping whose keys are long option names. */
export async function loadConfigFile(path: string): Promise<ConfigFile> {
  return parseConfigFile(await readText(path), path);
}

/** Pure part of {@link loadConfigFile}. */
export async function parseConfigFile(text: string, path: string): Promise<ConfigFile> {
  const { isMap, isScalar, isSeq, LineCounter, parseDocument } = await import("yaml");
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, schema: "core", uniqueKeys: true });
  const place = (offset: number) => {
    const { line, col } = lineCounter.linePos(offset);
    return `${path}:${line}:${col}`;
  };
  const [syntaxError] = document.errors;
  if (syntaxError !== undefined) {
    const [what = "syntax error"] = syntaxError.message.split(/ at line |\n/);
    throw invalid(`${place(syntaxError.pos[0])} is not YAML: ${what}`);
  }
  if (document.contents === null) return { path, entries: new Map() };
  if (!isMap(document.contents)) throw invalid(`${path} is no mapping of option names to values`);
  const entries = new Map<string, ConfigEntry>();
  for (const { key, value } of document.contents.items) {
    const name = isScalar(key) ? String(key.value) : "?";
    const at = isScalar(value) || isSeq(value) ? value : isScalar(key) ? key : undefined;
    if (value !== null && !isScalar(value) && !(isSeq(value) && value.items.every(isScalar))) {
      throw invalid(`${place(at?.range?.[0] ?? 0)}: ${name} is neither a value nor a list of values`);
    }
    const plain = isSeq(value)
      ? value.items.map((item) => asText(item))
      : value === null
        ? undefined
        : asText(value);
    entries.set(name, { value: plain, place: place(at?.range?.[0] ?? 0) });
  }
  return { path, entries };
}

/** Numbers are kept in their written form: `010` or `1e3` must not change on the way to a schema. */
function asText(scalar: unknown): unknown {
  const { value, source } = scalar as { value: unknown; source?: string };
  if (value === null) return undefined;
  return typeof value === "boolean" ? value : (source ?? String(value));
}

async function readText(path: string): Promise<string> {
  let bytes: Buffer | undefined;
  try {
    bytes = await readBounded(path, maxBytes);
  } catch (error) {
    throw new DaemonError(
      "ERR_DAEMON_CONFIG",
      `cannot read config file ${path}: ${(error as NodeJS.ErrnoException).code}`,
      {
        cause: error,
      },
    );
  }
  if (bytes === undefined) throw invalid(`config file ${path} is larger than ${maxBytes} bytes`);
  return bytes.toString("utf8");
}

function invalid(message: string): DaemonError {
  return new DaemonError("ERR_DAEMON_CONFIG", message, {
    hint: "write one `option: value` per line, with the option's long name, e.g. `listen: 0.0.0.0:8443`",
  });
}
