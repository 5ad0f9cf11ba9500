import type { StatusCause } from "./status-error.ts";

const label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const dns1123Label = new RegExp(`^${label}$`);
const dns1123Subdomain = new RegExp(`^${label}(\\.${label})*$`);
const dns1035Label = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const qualifiedName = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const configKey = /^[-._a-zA-Z0-9]+$/;

const SUBDOMAIN_RULE = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${label}(\\.${label})*')`;
const LABEL_RULE = `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${label}')`;
const DNS1035_RULE =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const KEY_RULE =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

export type NameRule = "subdomain" | "label" | "dns1035" | "path-segment" | "config-key";

/** Why the name is none, in the words of Kubernetes, or undefined. */
export function nameFault(rule: NameRule, name: string): string | undefined {
  switch (rule) {
    case "subdomain":
      return tooLong(name, 253) ?? (dns1123Subdomain.test(name) ? undefined : SUBDOMAIN_RULE);
    case "label":
      return tooLong(name, 63) ?? (dns1123Label.test(name) ? undefined : LABEL_RULE);
    case "dns1035":
      return tooLong(name, 63) ?? (dns1035Label.test(name) ? undefined : DNS1035_RULE);
    case "config-key":
      return tooLong(name, 253) ?? (configKey.test(name) ? undefined : KEY_RULE);
    case "path-segment":
      if (name === "." || name === "..") return `may not be '${name}'`;
      return /[/%]/.test(name) ? "may not contain '/' or '%'" : undefined;
  }
}

/** Labels of an object or a template. */
export function labelFaults(labels: Readonly<Record<string, unknown>>, field: string): StatusCause[] {
  return Object.entries(labels).flatMap(([key, value]) => {
    const faults: StatusCause[] = [];
    if (!isQualifiedName(key)) faults.push(invalidValue(field, key, "name part must be a qualified name"));
    if (typeof value !== "string" || value.length > 63 || (value !== "" && !qualifiedName.test(value))) {
      faults.push(
        invalidValue(
          field,
          value,
          "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ),
      );
    }
    return faults;
  });
}

/** An optional DNS prefix and a slash before a name of at most 63 characters. */
export function isQualifiedName(key: string): boolean {
  const slash = key.indexOf("/");
  const name = key.slice(slash + 1);
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  return (
    name.length <= 63 &&
    qualifiedName.test(name) &&
    (prefix === undefined || nameFault("subdomain", prefix) === undefined)
  );
}

export function invalidValue(field: string, value: unknown, why: string): StatusCause {
  const shown = value === undefined ? "null" : JSON.stringify(value);
  return { reason: "FieldValueInvalid", message: `Invalid value: ${shown}: ${why}`, field };
}

export function requiredValue(field: string, why?: string): StatusCause {
  return { reason: "FieldValueRequired", message: why ? `Required value: ${why}` : "Required value", field };
}

function tooLong(name: string, limit: number): string | undefined {
  return name.length > limit ? `must be no more than ${limit} characters` : undefined;
}
