import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type Tags,
} from "yaml";
import type { FieldPath } from "../policy/field-path.ts";
import type { InputProblem } from "./input-problem.ts";

/** One document of a file. */
interface ManifestDocument {
  readonly value: unknown;
  /** The line and column, from 1, where a field is written; of the nearest field above it that is. */
  locate(path: FieldPath): Place;
}

export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface ParsedManifests {
  readonly documents: readonly ManifestDocument[];
  /** Documents that are no YAML; the others of the file are there. */
  readonly problems: readonly InputProblem[];
}

/**
 * Parses YAML documents, or JSON, as Kubernetes' tools do: YAML 1.1 (a mode of `0400` is octal), without dates, later keys
 * over earlier ones.
 */
export function parseManifests(file: string, text: string): ParsedManifests {
  const lineCounter = new LineCounter();
  const documents: ManifestDocument[] = [];
  const problems: InputProblem[] = [];
  try {
    for (const document of parseAllDocuments(text, { ...yamlOptions, lineCounter })) {
      const [error] = document.errors;
      if (error === undefined) documents.push(readDocument(document, lineCounter));
      else problems.push(syntaxProblem(file, text, placeOf(error.pos[0], lineCounter), error.message));
    }
  } catch (error) {
    // Thousands of nested lists, or aliases that multiply: deeper and larger than any manifest.
    const message = `${file} is no manifest: ${(error as Error).message}`;
    problems.push({ file, message });
  }
  return { documents, problems };
}

const yamlOptions = {
  version: "1.1",
  uniqueKeys: false,
  prettyErrors: false,
  logLevel: "silent",
  // Dates and sexagesimal numbers are texts to Kubernetes.
  customTags: (tags: Tags) =>
    tags.filter(
      (tag) =>
        typeof tag === "string" || !(tag.format === "TIME" || tag.tag === "tag:yaml.org,2002:timestamp"),
    ),
} as const;

function readDocument(document: Document, lineCounter: LineCounter): ManifestDocument {
  return {
    value: document.toJS({ maxAliasCount: 1_000 }) as unknown,
    locate: (path) => placeOf(offsetOf(document, path), lineCounter),
  };
}

function offsetOf(document: Document, path: FieldPath): number {
  let node: unknown = document.contents;
  let offset = isNode(node) ? startOf(node) : 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.findLast(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (pair === undefined) break;
      offset = isNode(pair.key) ? startOf(pair.key) : offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      if (!isNode(node)) break;
      offset = startOf(node);
    } else break;
  }
  return offset;
}

function startOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

function placeOf(offset: number, lineCounter: LineCounter): Place {
  const { line, col } = lineCounter.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

function syntaxProblem(file: string, text: string, { line, column }: Place, reason: string): InputProblem {
  const message = `${file}:${line}:${column} is not YAML: ${reason.split("\n")[0]}`;
  const isTemplate = text.includes("{{");
  return {
    file,
    line,
    column,
    message,
    ...(isTemplate && {
      hint: "this looks like a Helm template; render it: helm template CHART | newleaf lint -",
    }),
  };
}
