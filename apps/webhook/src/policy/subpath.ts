import type { Problem } from "./finding.ts";
import type { ContainerView, MountView } from "./pod-view.ts";
import type { PodFacts, Rule } from "./rule.ts";
import { type FileRole, roleOfFileName } from "./tls-file-name.ts";
import type { VolumeContents, VolumeFile } from "./volume-contents.ts";

export const subPathRule: Rule = {
  id: "subpath",
  title: "a TLS Secret, or a ConfigMap of CAs, mounted with subPath",
  reason:
    "A subPath is a bind mount of the file that was there when the container started. The kubelet swaps the directory " +
    "around it, which the mount no longer sees: the file is never updated.",
  mend: "mount the whole volume in a directory of its own and name the file there",
  severity: "deny",
  checkPod: (pod, facts) =>
    pod.containers
      .filter(({ runsOnce }) => !runsOnce)
      .flatMap((container) => container.mounts.flatMap((mount) => problemsOf(mount, container, facts))),
};

function problemsOf(mount: MountView, container: ContainerView, { contents }: PodFacts): readonly Problem[] {
  const volume = contents.get(mount.volume);
  if (mount.subPath === undefined || volume === undefined) return [];
  const file = fileBehind(mount, mount.subPath, volume);
  if (file === undefined) return [];
  return [
    {
      path: [...mount.path, mount.subPathField],
      message:
        `${file.path} of ${file.source} is mounted at ${mount.mountPath} of ${container.name} with ` +
        `${mount.subPathField}: it is never updated, so the container keeps ${kept[file.role]} it started with`,
      mend: `mount volume ${mount.volume} whole, in a directory of its own, and name the file there`,
    },
  ];
}

const kept: Readonly<Record<FileRole, string>> = {
  certificate: "the certificate",
  key: "the key",
  ca: "the CAs",
  keystore: "the keystore",
};

type Behind = Pick<VolumeFile, "path" | "role" | "source">;

/** The file that a subPath shows, or one below the directory that it shows. */
function fileBehind(mount: MountView, subPath: string, volume: VolumeContents): Behind | undefined {
  const [first] = volume.files;
  // Only the container knows which file it is; every one of a volume for TLS is as stale.
  if (mount.subPathField === "subPathExpr") return first && { ...first, path: subPath };
  const found =
    volume.files.find(({ path }) => path === subPath) ??
    volume.files.find(({ path }) => path.startsWith(`${subPath}/`));
  if (found !== undefined) return found;
  if (volume.writer === "csi") return first && { ...first, path: subPath };
  // What has no extension in a Secret may be called what it is where it is mounted.
  const role = /\.\w+$/.test(subPath) ? undefined : roleOfFileName(mount.mountPath);
  const [source = ""] = volume.sources;
  const isTrust = role === "ca" || role === "certificate";
  const counts = role !== undefined && (isTrust || !source.startsWith("ConfigMap"));
  return counts ? { path: subPath, role, source } : undefined;
}
