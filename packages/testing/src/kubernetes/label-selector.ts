import { fieldsOf, isJsonObject, itemsOf, type JsonObject } from "./json.ts";
import { isQualifiedName } from "./names.ts";
import { badRequest } from "./status-error.ts";

/** Whether labels are selected. */
export type LabelMatcher = (labels: Readonly<Record<string, unknown>>) => boolean;

/** Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k,n>1`; throws BadRequest. Empty selects everything. */
export function parseLabelSelector(text: string): LabelMatcher {
  const requirements = splitOutsideParentheses(text).map(parseRequirement);
  return (labels) => requirements.every((requirement) => requirement(labels));
}

/** A meta/v1 LabelSelector; an empty one selects everything. Undefined when it is malformed. */
export function parseLabelSelectorObject(selector: JsonObject): LabelMatcher | undefined {
  const requirements: LabelMatcher[] = Object.entries(fieldsOf(selector.matchLabels)).map(
    ([key, value]) =>
      (labels) =>
        labels[key] === value,
  );
  for (const expression of itemsOf(selector.matchExpressions)) {
    if (!isJsonObject(expression)) return undefined;
    const key = String(expression.key);
    const values = itemsOf(expression.values).map(String);
    const requirement = operators[String(expression.operator)];
    if (!requirement) return undefined;
    requirements.push(requirement(key, values));
  }
  return (labels) => requirements.every((requirement) => requirement(labels));
}

const operators: Readonly<Record<string, (key: string, values: readonly string[]) => LabelMatcher>> = {
  In: (key, values) => (labels) => values.includes(String(labels[key] ?? "")) && key in labels,
  NotIn: (key, values) => (labels) => !(key in labels) || !values.includes(String(labels[key])),
  Exists: (key) => (labels) => key in labels,
  DoesNotExist: (key) => (labels) => !(key in labels),
};

function parseRequirement(text: string): LabelMatcher {
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(text);
  if (set) {
    const [, key = "", operator, list = ""] = set;
    const values = list.split(",").map((value) => value.trim());
    return matcher(operator === "in" ? "In" : "NotIn", key, values);
  }
  const compared = /^([^=!<>\s]+)\s*(==|=|!=|<|>)\s*([^=!<>\s]*)$/.exec(text);
  if (compared) {
    const [, key = "", operator, value = ""] = compared;
    if (operator === "<" || operator === ">") {
      const limit = Number(value);
      return (labels) =>
        key in labels && (operator === "<" ? Number(labels[key]) < limit : Number(labels[key]) > limit);
    }
    return matcher(operator === "!=" ? "NotIn" : "In", key, [value]);
  }
  const absent = text.startsWith("!");
  const key = absent ? text.slice(1).trim() : text;
  if (!isQualifiedName(key))
    throw badRequest(`unable to parse requirement: found '${text}', expected: identifier`);
  return matcher(absent ? "DoesNotExist" : "Exists", key, []);
}

function matcher(operator: string, key: string, values: readonly string[]): LabelMatcher {
  if (!isQualifiedName(key)) {
    throw badRequest(
      `unable to parse requirement: <nil>: Invalid value: "${key}": name part must be a qualified name`,
    );
  }
  const build = operators[operator];
  if (!build) throw badRequest(`unable to parse requirement: unknown operator ${operator}`);
  return build(key, values);
}

function splitOutsideParentheses(text: string): string[] {
  const parts = text.match(/(?:[^,(]|\([^)]*\)?)+/g) ?? [];
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}
