import { HelperError } from "./error.ts";
import type { Place } from "./hcl/value.ts";

/** An error of the configuration that says where: `helper.conf:3:9: ...`. */
export function configError(file: string, place: Place, message: string, hint?: string): HelperError {
  return invalid(formatPlace(file, place), message, hint);
}

/** The same, about what came from elsewhere than the file. */
export function invalid(where: string, message: string, hint?: string): HelperError {
  return new HelperError("ERR_HELPER_CONFIG", `${where}: ${message}`, hint === undefined ? {} : { hint });
}

export function formatPlace(file: string, place: Place): string {
  return `${file}:${place.line}:${place.column}`;
}
