import type { Problem } from "./finding.ts";
import type { ContainerView, MountView } from "./pod-view.ts";
import type { PodFacts, Rule } from "./rule.ts";
import type { VolumeContents } from "./volume-contents.ts";

export const shadowedMountRule: Rule = {
  id: "shadowed-mount",
  title: "a mount path shadowed by another",
  reason:
    "Runtimes mount parents before children, and of two mounts at one path only the last is seen. A mount over a file of a " +
    "TLS volume, or over its ..data, hides that file and every later version of it.",
  mend: "give each volume a directory of its own",
  severity: "warn",
  checkPod: (pod, facts) =>
    pod.containers.flatMap((container) => [...samePath(container), ...coveredFiles(container, facts)]),
};

/** The API server refuses paths that are equal as texts, but not `/etc/tls` beside `/etc/tls/`. */
function samePath({ name, mounts }: ContainerView): readonly Problem[] {
  return mounts.flatMap((mount, index) => {
    const path = cleanPath(mount.mountPath);
    const other = mounts.slice(0, index).find(({ mountPath }) => cleanPath(mountPath) === path);
    if (other === undefined) return [];
    return [
      {
        path: [...mount.path, "mountPath"],
        message: `${path} of ${name} is where volume ${other.volume} is mounted too: only one of ${other.volume} and ${mount.volume} is seen`,
        mend: "give each volume a directory of its own",
      },
    ];
  });
}

function coveredFiles({ name, mounts }: ContainerView, { contents }: PodFacts): readonly Problem[] {
  return mounts.flatMap((below) =>
    mounts.flatMap((mount) => {
      const volume = contents.get(below.volume);
      const file = volume && coveredBy(mount, below, volume);
      if (file === undefined) return [];
      return [
        {
          path: [...mount.path, "mountPath"],
          message: `volume ${mount.volume} at ${mount.mountPath} of ${name} hides ${file} of volume ${below.volume}, which is mounted at ${below.mountPath}`,
          mend: `mount ${mount.volume} outside of ${cleanPath(below.mountPath)}`,
        },
      ];
    }),
  );
}

/** The file of a volume for TLS that another mount hides: one that it has, or the link through which all are read. */
function coveredBy(mount: MountView, below: MountView, volume: VolumeContents): string | undefined {
  const directory = `${cleanPath(below.mountPath)}/`.replace("//", "/");
  const path = cleanPath(mount.mountPath);
  if (mount === below || below.subPath !== undefined || !path.startsWith(directory)) return undefined;
  if (volume.files.length === 0 && volume.likely.length === 0) return undefined;
  const inside = path.slice(directory.length);
  if (inside.startsWith("..")) return inside;
  return volume.files.find((file) => file.path === inside || file.path.startsWith(`${inside}/`))?.path;
}

function cleanPath(path: string): string {
  const clean = path.replaceAll(/\/(\.?\/)+/g, "/").replace(/\/\.?$/, "");
  return clean === "" ? "/" : clean;
}
