import { constants } from "node:os";
import { invalid } from "../config-error.ts";
import { decodeString, type Given } from "./decode.ts";

/** The full name, such as SIGHUP. */
export function decodeSignal(given: Given): NodeJS.Signals {
  const text = decodeString(given);
  if (Object.hasOwn(constants.signals, text)) return text as NodeJS.Signals;
  const full = `SIG${text.toUpperCase().replace(/^SIG/, "")}`;
  const near = Object.hasOwn(constants.signals, full) ? `write ${full}` : "write a full name, such as SIGHUP";
  throw invalid(given.where, `${given.key} ${JSON.stringify(text.slice(0, 40))} is no signal`, near);
}
