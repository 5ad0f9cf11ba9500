import { dirname, resolve } from "node:path";
import { parse, YAMLParseError } from "yaml";
import { KubeError } from "../error.ts";
import { Fields } from "./fields.ts";
import { readBounded } from "./read-bounded.ts";

/** Kubeconfigs as far as they are the same for every context. */
export interface KubeconfigDocument {
  readonly files: readonly string[];
  readonly currentContext: string | undefined;
  readonly clusters: ReadonlyMap<string, Fields>;
  readonly users: ReadonlyMap<string, Fields>;
  readonly contexts: ReadonlyMap<string, Fields>;
}

const MAX_BYTES = 4 * 2 ** 20;

/** One file; undefined where there is none and none is required. */
export async function readKubeconfig(
  path: string,
  { required }: { readonly required: boolean },
): Promise<KubeconfigDocument | undefined> {
  const file = resolve(path);
  const text = await readBounded(file, MAX_BYTES).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" && !required) return undefined;
    if (cause instanceof KubeError) throw cause;
    throw new KubeError("ERR_KUBE_CONFIG", `kubeconfig ${file} cannot be read: ${cause.code ?? cause.name}`, {
      cause,
    });
  });
  return text === undefined ? undefined : parseKubeconfig(text, file);
}

/** Throws ERR_KUBE_CONFIG, which names the file and the place in it. */
function parseKubeconfig(text: string, file: string): KubeconfigDocument {
  const top = new Fields(parseYaml(text, file), `kubeconfig ${file}`, dirname(file));
  return {
    files: [file],
    currentContext: top.string("current-context"),
    clusters: byName(top, "clusters", "cluster"),
    users: byName(top, "users", "user"),
    contexts: byName(top, "contexts", "context"),
  };
}

export function mergeKubeconfigs(documents: readonly KubeconfigDocument[]): KubeconfigDocument {
  const merge = (of: "clusters" | "users" | "contexts"): Map<string, Fields> =>
    new Map(documents.toReversed().flatMap((document) => [...document[of]]));
  return {
    files: documents.flatMap(({ files }) => files),
    currentContext: documents.find(({ currentContext }) => currentContext !== undefined)?.currentContext,
    clusters: merge("clusters"),
    users: merge("users"),
    contexts: merge("contexts"),
  };
}

function parseYaml(text: string, file: string): unknown {
  try {
    // Its warnings would go to stderr, and quote the line too.
    return parse(text, { logLevel: "error" }) ?? {};
  } catch (error) {
    // The parser's own message quotes the line, which may be a token.
    const at =
      error instanceof YAMLParseError
        ? `line ${error.linePos?.[0].line ?? "?"}: ${error.code}`
        : "too complex";
    throw new KubeError("ERR_KUBE_CONFIG", `kubeconfig ${file} is no YAML: ${at}`);
  }
}

function byName(top: Fields, list: string, item: string): Map<string, Fields> {
  const named = new Map<string, Fields>();
  for (const entry of top.list(list)) {
    const name = entry.string("name");
    if (name === undefined) throw entry.error("has no name");
    if (named.has(name)) throw top.error(`has two ${list} named ${JSON.stringify(name)}`);
    named.set(name, entry.object(item, `${item} ${JSON.stringify(name)} of ${top.where}`));
  }
  return named;
}
