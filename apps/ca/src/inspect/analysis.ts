import { type CheckOptions, certificateFindings } from "./certificate-findings.ts";
import { fileFindings } from "./file-findings.ts";
import { bySeverity, type Finding } from "./finding.ts";
import type { Input } from "./input.ts";
import { type Item, parseItems } from "./item.ts";
import { type Relations, relate } from "./relations.ts";

/** Everything that was found in the inputs, how it belongs together, and what about it will break. */
export interface Analysis {
  readonly files: readonly InspectedFile[];
  readonly relations: Relations;
  /** Worst first. */
  readonly findings: readonly Finding[];
}

export interface InspectedFile {
  readonly input: Input;
  readonly items: readonly Item[];
}

/** Pure: looks at octets and at `options.now`, at nothing else. */
export function analyse(inputs: readonly Input[], options: CheckOptions): Analysis {
  const files = inputs.map((input) => ({ input, items: parseItems(input) }));
  const items = files.flatMap((file) => file.items);
  const relations = relate(items, options.now);
  const findings = [
    ...files.flatMap((file) => fileFindings(file.items)),
    ...items.flatMap((item) => (item.kind === "certificate" ? certificateFindings(item, options) : [])),
    ...relations.findings,
  ];
  return { files, relations, findings: findings.sort(bySeverity) };
}
