import { parseTarget, RotationError, type ServedTarget } from "@newleaf/rotation";
import { formatPlace, invalid } from "../config-error.ts";
import type { HclItem, HclObject } from "../hcl/value.ts";
import {
  decodeBoolean,
  decodeChoice,
  decodeDuration,
  decodeFields,
  decodeInteger,
  decodeString,
  decodeStrings,
  type Given,
} from "./decode.ts";
import type { GivenBlock } from "./given-config.ts";
import { objectsOf } from "./parts.ts";
import { decodeSignal } from "./signal-name.ts";

/** One process to be told of a new certificate, and where to look whether it serves it. */
export interface ReloadConfig {
  readonly name: string;
  readonly action: ReloadAction;
  readonly timeoutMs: number;
  readonly verify: VerifyConfig | undefined;
}

export type ReloadAction =
  | {
      readonly kind: "signal";
      readonly process: { readonly pidFile: string } | { readonly pid: () => number };
      readonly signal: NodeJS.Signals;
    }
  | { readonly kind: "exec"; readonly command: readonly string[] }
  | { readonly kind: "http"; readonly url: string; readonly method: string }
  | { readonly kind: "postgres"; readonly dsn: Secret; readonly password: Secret | undefined }
  | { readonly kind: "nginx"; readonly pidFile: string; readonly test: readonly string[] }
  /** Notices new files by itself. */
  | { readonly kind: "watch" };

/** Text, or the file that holds it and is read each time. */
export type Secret = { readonly text: string } | { readonly file: string };

export interface VerifyConfig {
  readonly target: ServedTarget;
  readonly serverName: string | undefined;
  readonly timeoutMs: number;
  /** Whether our own certificate is shown to a server that asks. */
  readonly clientCertificate: boolean;
}

const kinds = ["signal", "exec", "http", "postgres", "nginx", "watch"] as const;
const keys = [
  ...["kind", "timeout", "verify", "pid_file", "pid", "signal", "command", "url", "method"],
  ...["dsn", "dsn_file", "password_file", "data_dir", "test"],
];
const keysOf: Readonly<Record<(typeof kinds)[number], readonly string[]>> = {
  signal: ["pid_file", "pid", "signal"],
  exec: ["command"],
  http: ["url", "method"],
  postgres: ["dsn", "dsn_file", "password_file", "data_dir"],
  nginx: ["pid_file", "test"],
  watch: [],
};

/** `reload "name" { }` blocks; in JSON `"reload": { "name": { } }`. */
export function decodeReloads(blocks: readonly GivenBlock[]): readonly ReloadConfig[] {
  const reloads = blocks.flatMap(({ file, item }) =>
    namedObjects(file, item).map(({ name, object }) => decodeReload(file, name, object)),
  );
  const twice = reloads.find(
    ({ name }, index) => reloads.findIndex((other) => other.name === name) !== index,
  );
  if (twice !== undefined) throw invalid("reload", `there are two blocks of the name ${twice.name}`);
  return reloads;
}

function namedObjects(
  file: string,
  item: HclItem,
): readonly { readonly name: string; readonly object: HclObject }[] {
  const [name, ...more] = item.labels;
  const where = formatPlace(file, item.place);
  if (more.length > 0) throw invalid(where, "a reload block has one label");
  if (name !== undefined) return objectsOf(file, item.key, item.value).map((object) => ({ name, object }));
  return objectsOf(file, item.key, item.value).flatMap(({ items }) =>
    items.map(({ key, value, place }) => {
      if (value.kind !== "object") {
        throw invalid(formatPlace(file, place), "a reload block has a label", 'write reload "nginx" { ... }');
      }
      return { name: key, object: value };
    }),
  );
}

function decodeReload(file: string, name: string, object: HclObject): ReloadConfig {
  const fields = decodeFields(file, object, keys, `in reload ${JSON.stringify(name)}`);
  const where = formatPlace(file, object.place);
  const given = fields.get("kind");
  const named = kinds.find((kind) => kind === name);
  if (given === undefined && named === undefined) {
    throw invalid(where, `reload ${JSON.stringify(name)} has no kind`, `kinds: ${kinds.join(", ")}`);
  }
  const kind = given === undefined ? (named ?? "signal") : decodeChoice(given, kinds);
  const stranger = [...fields.keys()].find(
    (key) => !["kind", "timeout", "verify", ...keysOf[kind]].includes(key),
  );
  if (stranger !== undefined) {
    throw invalid(where, `reload ${JSON.stringify(name)} is of kind ${kind}, which has no ${stranger}`);
  }
  const timeout = fields.get("timeout");
  const verify = fields.get("verify");
  if (kind === "watch" && verify === undefined) {
    throw invalid(where, "a reload block of kind watch does nothing but verify, and has no verify");
  }
  return {
    name,
    action: decodeAction(kind, fields, where),
    timeoutMs: timeout === undefined ? 10_000 : decodeDuration(timeout),
    verify: verify === undefined ? undefined : decodeVerify(file, verify, kind),
  };
}

type Fields = ReadonlyMap<string, Given>;

function decodeAction(kind: (typeof kinds)[number], fields: Fields, where: string): ReloadAction {
  const text = (key: string): string | undefined => {
    const given = fields.get(key);
    return given === undefined ? undefined : decodeString(given);
  };
  const required = (key: string): string => {
    const found = text(key) ?? "";
    if (found === "") throw invalid(where, `a reload block of kind ${kind} needs ${key}`);
    return found;
  };
  const command = (key: string): readonly string[] | undefined => {
    const given = fields.get(key);
    return given === undefined ? undefined : decodeStrings(given);
  };
  switch (kind) {
    case "signal": {
      const [pid, signal] = [fields.get("pid"), fields.get("signal")];
      const process =
        pid === undefined ? { pidFile: required("pid_file") } : { pid: constantly(decodePid(pid)) };
      return { kind, process, signal: signal === undefined ? "SIGHUP" : decodeSignal(signal) };
    }
    case "exec": {
      const words = command("command") ?? [];
      if (words.length === 0)
        throw invalid(where, "a reload block of kind exec needs command", 'command = ["pg_ctl", "reload"]');
      return { kind, command: words };
    }
    case "http": {
      const url = required("url");
      if (!URL.canParse(url) || !/^https?:/.test(url))
        throw invalid(where, "url is no http:// or https:// address");
      const { username, password } = new URL(url);
      // Nothing sends them, and what refuses them quotes them.
      if (username !== "" || password !== "")
        throw invalid(where, "url holds a user or password", "have a command send it: kind exec");
      return { kind, url, method: (text("method") ?? "POST").toUpperCase() };
    }
    case "postgres":
      return decodePostgres(text, where);
    case "watch":
      return { kind };
    case "nginx":
      return { kind, pidFile: text("pid_file") ?? "/run/nginx.pid", test: command("test") ?? [] };
  }
}

function decodePid(given: Given): number {
  const pid = decodeInteger(given);
  if (pid > 0) return pid;
  throw invalid(given.where, `pid ${pid} is no process`);
}

function constantly(pid: number): () => number {
  return () => pid;
}

function decodePostgres(text: (key: string) => string | undefined, where: string): ReloadAction {
  const [dsn, dsnFile, passwordFile, dataDir] = ["dsn", "dsn_file", "password_file", "data_dir"].map(text);
  if (dataDir !== undefined) {
    if (dsn !== undefined || dsnFile !== undefined)
      throw invalid(where, "data_dir and a dsn exclude each other");
    return {
      kind: "signal",
      process: { pidFile: `${dataDir.replace(/\/+$/, "")}/postmaster.pid` },
      signal: "SIGHUP",
    };
  }
  if (dsn !== undefined && dsnFile !== undefined) throw invalid(where, "dsn and dsn_file exclude each other");
  const password = passwordFile === undefined ? undefined : { file: passwordFile };
  if (dsnFile !== undefined) return { kind: "postgres", dsn: { file: dsnFile }, password };
  if (dsn !== undefined && !URL.canParse(dsn)) {
    throw invalid(where, "dsn is no URL", "write postgres://user@host:5432/database");
  }
  if (dsn !== undefined) return { kind: "postgres", dsn: { text: dsn }, password };
  throw invalid(
    where,
    "a reload block of kind postgres needs dsn, dsn_file or data_dir",
    "data_dir signals the postmaster, and needs no login",
  );
}

const verifyKeys = ["address", "protocol", "server_name", "timeout", "client_certificate"];

function decodeVerify(file: string, { value, where }: Given, kind: string): VerifyConfig {
  if (value.kind !== "object")
    throw invalid(where, "verify is no block", 'write verify { address = "127.0.0.1:8443" }');
  const fields = decodeFields(file, value, verifyKeys, "in verify");
  const [address, protocol, serverName, timeout, client] = verifyKeys.map((key) => fields.get(key));
  if (address === undefined) throw invalid(where, "verify needs an address");
  const fallback = kind === "postgres" ? "postgres" : "tls";
  const wanted = protocol === undefined ? fallback : decodeChoice(protocol, ["tls", "postgres"] as const);
  return {
    target: decodeTarget(address, wanted),
    serverName: serverName === undefined ? undefined : decodeString(serverName),
    timeoutMs: timeout === undefined ? 10_000 : decodeDuration(timeout),
    clientCertificate: client === undefined ? true : decodeBoolean(client),
  };
}

function decodeTarget(address: Given, protocol: "tls" | "postgres"): ServedTarget {
  const text = decodeString(address);
  try {
    return parseTarget(text.includes("://") || text.startsWith("unix:") ? text : `${protocol}://${text}`);
  } catch (error) {
    if (!(error instanceof RotationError)) throw error;
    throw invalid(address.where, error.message);
  }
}
