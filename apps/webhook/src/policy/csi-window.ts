import { csiVolumeOf } from "./csi-attributes.ts";
import type { FieldPath } from "./field-path.ts";
import type { Problem } from "./finding.ts";
import { parseGoDuration } from "./go-duration.ts";
import type { PodView, VolumeView } from "./pod-view.ts";
import { adviceFor, marginMs, spell } from "./renewal-window.ts";
import type { Rule } from "./rule.ts";

export const csiWindowRule: Rule = {
  id: "csi-window",
  title: "a csi.cert-manager.io volume whose renew-before is not below duration, or neither can be read",
  reason:
    "The driver refuses a duration that it cannot read, and the Pod never starts. A renew-before that is not below the " +
    "lifetime is ignored: a third of the lifetime holds in its place. One that is not positive renews when it is too late.",
  mend: "write Go durations (90m, 24h) with renew-before below duration",
  severity: "deny",
  checkPod: (pod) => windowsOf(pod).flatMap(({ problems }) => problems),
};

export const csiMarginRule: Rule = {
  id: "csi-margin",
  title: "a csi.cert-manager.io volume whose renew-before leaves less than a kubelet sync and a drain",
  reason:
    "The driver tries for 60 s, and 30 s later again: a renewal that fails once is done after 90 s, no sooner than a " +
    "Secret that waits for the kubelet. Connections that use the old certificate need the drain after that.",
  mend: "renew earlier, or let the certificate live longer",
  severity: "warn",
  checkPod: (pod, { limits }) =>
    windowsOf(pod).flatMap(({ window }) => {
      if (window === undefined || window.renewBeforeMs >= marginMs(limits)) return [];
      const { volume, path, durationMs, renewBeforeMs } = window;
      return [
        {
          path,
          message:
            `volume ${volume.name} is renewed ${spell(renewBeforeMs)} before the end of ${spell(durationMs)}, less than ` +
            `the ${spell(marginMs(limits))} of a failed attempt (${spell(limits.kubeletSyncMs)}) and a drain ` +
            `(${spell(limits.drainMs)}): connections may still use the certificate when it expires`,
          mend: adviceFor(durationMs, limits),
        },
      ];
    }),
};

interface Window {
  readonly volume: VolumeView;
  readonly path: FieldPath;
  readonly durationMs: number;
  readonly renewBeforeMs: number;
}

interface Reading {
  readonly problems: readonly Problem[];
  /** Undefined where there are problems. */
  readonly window?: Window;
}

/** The driver's own default. */
const defaultDuration = "2160h";

function windowsOf(pod: PodView): readonly Reading[] {
  return pod.volumes.map(readWindow);
}

function readWindow(volume: VolumeView): Reading {
  const csi = csiVolumeOf(volume);
  if (csi?.driver !== "csi.cert-manager.io") return { problems: [] };
  const attributes = [...volume.path, "csi", "volumeAttributes"];
  const pathOf = (name: string) => [...attributes, `${csi.driver}/${name}`];
  const problem = (name: string, message: string, mend: string): Reading => ({
    problems: [{ path: pathOf(name), message: `volume ${volume.name}: ${message}`, mend }],
  });
  const misspelled = csi.names.find((name) => /^(renew-?before|duration)$/i.test(name) && !known.has(name));
  if (misspelled !== undefined) {
    const right = /^d/i.test(misspelled) ? "duration" : "renew-before";
    return problem(
      misspelled,
      `${misspelled} is no attribute of the driver, which ignores it`,
      `write ${right}`,
    );
  }
  const duration = csi.attribute("duration") ?? defaultDuration;
  const renewBefore = csi.attribute("renew-before");
  const durationMs = parseGoDuration(duration);
  if (durationMs === undefined || durationMs <= 0) {
    const what = `duration ${JSON.stringify(duration)} is no positive Go duration: the driver refuses it, and the Pod never starts`;
    return problem("duration", what, "write hours, minutes and seconds, such as 24h or 90m");
  }
  if (renewBefore === undefined) {
    const path = csi.names.includes("duration") ? pathOf("duration") : attributes;
    return { problems: [], window: { volume, path, durationMs, renewBeforeMs: durationMs / 3 } };
  }
  const renewBeforeMs = parseGoDuration(renewBefore);
  if (renewBeforeMs === undefined) {
    const what = `renew-before ${JSON.stringify(renewBefore)} is no Go duration: the driver refuses it, and the Pod never starts`;
    return problem("renew-before", what, "write hours, minutes and seconds, such as 8h or 30m");
  }
  if (renewBeforeMs <= 0) {
    const what = `renew-before ${renewBefore} is not positive: the certificate is renewed when it has expired`;
    return problem("renew-before", what, `write ${spell(durationMs / 3)}, a third of duration`);
  }
  if (renewBeforeMs >= durationMs) {
    const what = `renew-before ${renewBefore} is not below duration ${duration}: the driver ignores it`;
    return problem("renew-before", what, `write ${spell(durationMs / 3)}, a third of duration`);
  }
  return { problems: [], window: { volume, path: pathOf("renew-before"), durationMs, renewBeforeMs } };
}

const known: ReadonlySet<string> = new Set(["duration", "renew-before"]);
