import { formatPlace, invalid } from "../config-error.ts";
import { parseHcl } from "../hcl/parse.ts";
import type { HclItem, HclObject } from "../hcl/value.ts";
import { type Given, givenItem, givenText, unknownKey } from "./decode.ts";
import { type BlockKey, blockKeyNames, type ScalarKey, scalarKeyNames, scalarKeys } from "./keys.ts";

/** A block with the file it was written in. */
export interface GivenBlock {
  readonly file: string;
  readonly item: HclItem;
}

/** What was configured, by key, before anything is decoded. */
export interface GivenConfig {
  readonly scalars: ReadonlyMap<ScalarKey, Given>;
  readonly blocks: ReadonlyMap<BlockKey, readonly GivenBlock[]>;
  readonly warnings: readonly string[];
}

/** Values that came by flags or the environment, by key; they win over the file. */
export type Overrides = Readonly<Partial<Record<ScalarKey | BlockKey, string>>>;

/** Sorts the items of the file by key, case-insensitive, the last of a scalar winning; unknown keys are fatal. */
export function collectConfig(file: string, object: HclObject, overrides: Overrides = {}): GivenConfig {
  const scalars = new Map<ScalarKey, Given>();
  const blocks = new Map<BlockKey, GivenBlock[]>();
  const warnings: string[] = [];
  for (const item of object.items) {
    const lower = item.key.toLowerCase();
    const block = blockKeyNames.find((key) => key === lower);
    const scalar = scalarKeyNames.find((key) => key === lower) ?? legacyKey(lower);
    if (block !== undefined) {
      blocks.set(block, [...(blocks.get(block) ?? []), { file, item }]);
    } else if (scalar === undefined) {
      throw unknownKey(
        formatPlace(file, item.place),
        item.key,
        [...scalarKeyNames, ...blockKeyNames],
        "at top level",
      );
    } else if (scalar === lower) {
      scalars.set(scalar, { ...givenItem(file, item), key: scalar });
    } else {
      warnings.push(`${item.key} is the old name of ${scalar}`);
      if (!scalars.has(scalar)) scalars.set(scalar, givenItem(file, item));
    }
  }
  for (const key of scalarKeyNames) {
    const text = overrides[key];
    if (text !== undefined) scalars.set(key, givenText(key, text, sourceName(key)));
  }
  for (const key of blockKeyNames) {
    const text = overrides[key];
    if (text !== undefined) blocks.set(key, parseBlock(key, text));
  }
  return { scalars, blocks, warnings };
}

function legacyKey(lower: string): ScalarKey | undefined {
  return scalarKeyNames.find((key) => scalarKeys[key].legacy?.toLowerCase() === lower);
}

function sourceName(key: string): string {
  return `--${key.replaceAll("_", "-")} or NEWLEAF_HELPER_${key.toUpperCase()}`;
}

/** `[{...}]` or `{...}` as HCL or JSON, or whole blocks as they stand in a file. */
function parseBlock(key: BlockKey, text: string): GivenBlock[] {
  const file = sourceName(key);
  const whole = isJson(text)
    ? `{${JSON.stringify(key)}: ${text}}`
    : /^\s*[[{]/.test(text)
      ? `${key} = ${text}`
      : text;
  const { items } = parseHcl(whole, file);
  const stranger = items.find((item) => item.key.toLowerCase() !== key);
  if (stranger !== undefined) throw invalid(file, `expected ${key}, found ${stranger.key}`);
  return items.map((item) => ({ file, item }));
}

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}
