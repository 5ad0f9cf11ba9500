import { formatPlace, invalid } from "../config-error.ts";
import type { HclObject } from "../hcl/value.ts";
import {
  decodeBoolean,
  decodeFields,
  decodeInteger,
  decodeString,
  decodeStrings,
  givenItem,
} from "./decode.ts";
import type { GivenBlock } from "./given-config.ts";

export interface JwtSvidConfig {
  /** The first is `jwt_audience`, the others `jwt_extra_audiences`. */
  readonly audiences: readonly string[];
  readonly fileName: string;
}

export interface HealthChecksConfig {
  readonly port: number;
  readonly livenessPath: string;
  readonly readinessPath: string;
}

const jwtKeys = ["jwt_audience", "jwt_extra_audiences", "jwt_svid_file_name"];

/** `jwt_svids`, a list of objects or one block for each. */
export function decodeJwtSvids(blocks: readonly GivenBlock[]): readonly JwtSvidConfig[] {
  return blocks
    .flatMap(({ file, item }) => objectsOf(file, item.key, item.value).map((object) => ({ file, object })))
    .map(({ file, object }, index) => decodeJwtSvid(file, object, `jwt_svids[${index}]`));
}

function decodeJwtSvid(file: string, object: HclObject, name: string): JwtSvidConfig {
  const fields = decodeFields(file, object, jwtKeys, `in ${name}`);
  const where = formatPlace(file, object.place);
  const [audience, extra, fileName] = jwtKeys.map((key) => fields.get(key));
  const text = (given: typeof audience, key: string): string => {
    const found = given === undefined ? "" : decodeString(given);
    if (found === "") throw invalid(where, `${key} is required in ${name}`);
    return found;
  };
  return {
    audiences: [text(audience, "jwt_audience"), ...(extra === undefined ? [] : decodeStrings(extra))],
    fileName: text(fileName, "jwt_svid_file_name"),
  };
}

const healthKeys = ["listener_enabled", "bind_port", "liveness_path", "readiness_path"];

/** `health_checks`; undefined unless the listener is enabled. Keys that are not known are ignored, with a warning. */
export function decodeHealthChecks(
  blocks: readonly GivenBlock[],
  warn: (warning: string) => void,
): HealthChecksConfig | undefined {
  let config = { enabled: false, port: 8081, livenessPath: "/live", readinessPath: "/ready" };
  for (const { file, item } of blocks) {
    for (const { items } of objectsOf(file, item.key, item.value)) {
      for (const inner of items) {
        const given = { ...givenItem(file, inner), key: inner.key.toLowerCase() };
        if (given.key === "listener_enabled") config = { ...config, enabled: decodeBoolean(given) };
        else if (given.key === "bind_port") config = { ...config, port: decodeInteger(given) || config.port };
        else if (given.key === "liveness_path")
          config = { ...config, livenessPath: decodeString(given) || config.livenessPath };
        else if (given.key === "readiness_path")
          config = { ...config, readinessPath: decodeString(given) || config.readinessPath };
        else warn(`${given.where}: health_checks has no key ${inner.key}; known: ${healthKeys.join(", ")}`);
        if (given.key === "bind_port" && (config.port < 0 || config.port > 65_535)) {
          throw invalid(given.where, `bind_port ${config.port} is no port`);
        }
        if (/_path$/.test(given.key) && !decodeString(given).startsWith("/") && decodeString(given) !== "") {
          throw invalid(given.where, `${given.key} does not begin with a slash`);
        }
      }
    }
  }
  const { enabled, ...health } = config;
  if (!enabled) return undefined;
  if (health.livenessPath === health.readinessPath) {
    throw invalid("health_checks", "liveness_path and readiness_path are the same");
  }
  return health;
}

/** A block, or a list of objects: both are how HCL1 writes repeated objects. */
export function objectsOf(
  file: string,
  key: string,
  value: GivenBlock["item"]["value"],
): readonly HclObject[] {
  if (value.kind === "object") return [value];
  if (value.kind !== "list") throw invalid(formatPlace(file, value.place), `${key} is no object`);
  return value.items.map((item) => {
    if (item.kind !== "object")
      throw invalid(formatPlace(file, item.place), `${key} holds something that is no object`);
    return item;
  });
}
