import type { FieldPath } from "./field-path.ts";
import { fieldsOf } from "./fields.ts";
import type { Problem } from "./finding.ts";
import { parseGoDuration } from "./go-duration.ts";
import { groupOf, type ManifestObject } from "./manifest-objects.ts";
import { adviceFor, marginMs, spell } from "./renewal-window.ts";
import type { Rule } from "./rule.ts";

export const certificateWindowRule: Rule = {
  id: "certificate-window",
  title: "a Certificate whose renewBefore is not below duration, or that is never renewed",
  reason:
    "cert-manager's webhook refuses such a Certificate; where that webhook is off or skips the namespace, the " +
    "certificate is issued again and again, or not before it has expired.",
  mend: "give a duration of an hour or more and a renewBefore below it, or leave renewBefore out for a third of the lifetime",
  severity: "deny",
  checkObject: (object) => readWindow(object).problems,
};

export const certificateMarginRule: Rule = {
  id: "certificate-margin",
  title: "a Certificate renewed so late, or so often, that a kubelet sync and a drain do not fit",
  reason:
    "The kubelet brings a changed Secret into running containers at its next sync, 39 to 77 s later in measurements, and " +
    "connections that use the old certificate need the drain after that.",
  mend: "renew earlier, or let the certificate live longer",
  severity: "warn",
  checkObject(object, limits) {
    const { window } = readWindow(object);
    if (window === undefined) return [];
    const { path, durationMs, renewBeforeMs } = window;
    const margin = marginMs(limits);
    const needs = `the ${spell(margin)} of a kubelet sync (${spell(limits.kubeletSyncMs)}) and a drain (${spell(limits.drainMs)})`;
    const mend = adviceFor(durationMs, limits);
    if (renewBeforeMs < margin) {
      const message =
        `the certificate is renewed ${spell(renewBeforeMs)} before the end of ${spell(durationMs)}, less than ${needs}: ` +
        "connections may still use it when it expires";
      return [{ path, message, mend }];
    }
    if (durationMs - renewBeforeMs < margin) {
      const message =
        `the certificate is replaced every ${spell(durationMs - renewBeforeMs)}, less than ${needs}: ` +
        "a new one comes before the last is in use";
      return [{ path, message, mend }];
    }
    return [];
  },
};

interface Reading {
  readonly problems: readonly Problem[];
  /** Undefined where there are problems, and for other kinds. */
  readonly window?: { readonly path: FieldPath; readonly durationMs: number; readonly renewBeforeMs: number };
}

const defaultDuration = "2160h";

function readWindow({ name, fields, path }: ManifestObject): Reading {
  if (name.kind !== "Certificate" || groupOf(name) !== "cert-manager.io") return { problems: [] };
  const spec = fieldsOf(fields.spec);
  const at = (field: string) => [...path, "spec", field];
  const problem = (field: string | FieldPath, message: string, mend: string): Reading => ({
    problems: [{ path: typeof field === "string" ? at(field) : field, message, mend }],
  });
  if (fieldsOf(spec.renewal).policy === "Disabled") {
    const message = "renewal.policy Disabled: the certificate is never renewed";
    return problem([...at("renewal"), "policy"], message, "leave renewal.policy out, or write RenewBefore");
  }
  const { duration = defaultDuration, renewBefore, renewBeforePercentage: percentage } = spec;
  const durationMs = readDuration(duration);
  if (durationMs === undefined || durationMs <= 0) {
    const message = `duration ${JSON.stringify(duration)} is no positive Go duration`;
    return problem("duration", message, "write hours, minutes and seconds, such as 24h or 90m");
  }
  if (isGiven(renewBefore) && isGiven(percentage)) {
    const message = "renewBefore and renewBeforePercentage exclude each other";
    return problem("renewBeforePercentage", message, "keep one of them");
  }
  const third = `write ${spell(durationMs / 3)}, a third of duration, or leave renewBefore out`;
  if (isGiven(percentage)) {
    if (typeof percentage !== "number" || percentage <= 0 || percentage >= 100) {
      const message = `renewBeforePercentage ${JSON.stringify(percentage)} is not between 0 and 100`;
      return problem(
        "renewBeforePercentage",
        message,
        "write 66: renewed when two thirds of the lifetime are over",
      );
    }
    const renewBeforeMs = (durationMs * (100 - percentage)) / 100;
    return { problems: [], window: { path: at("renewBeforePercentage"), durationMs, renewBeforeMs } };
  }
  if (!isGiven(renewBefore)) {
    const place = spec.duration === undefined ? [...path, "spec"] : at("duration");
    return { problems: [], window: { path: place, durationMs, renewBeforeMs: durationMs / 3 } };
  }
  const renewBeforeMs = readDuration(renewBefore);
  if (renewBeforeMs === undefined || renewBeforeMs <= 0) {
    return problem(
      "renewBefore",
      `renewBefore ${JSON.stringify(renewBefore)} is no positive Go duration`,
      third,
    );
  }
  if (renewBeforeMs >= durationMs) {
    const message = `renewBefore ${String(renewBefore)} is not below duration ${String(duration)}`;
    return problem("renewBefore", message, third);
  }
  return { problems: [], window: { path: at("renewBefore"), durationMs, renewBeforeMs } };
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function readDuration(value: unknown): number | undefined {
  return typeof value === "string" ? parseGoDuration(value) : undefined;
}
