import { csiVolumeOf } from "./csi-attributes.ts";
import type { Problem } from "./finding.ts";
import type { ContainerView, MountView, PodView, UserView } from "./pod-view.ts";
import type { PodFacts, Rule } from "./rule.ts";
import type { VolumeContents } from "./volume-contents.ts";

export const unreadableKeyRule: Rule = {
  id: "unreadable-key",
  title: "a key file that the container's user cannot read",
  reason:
    "Files of Secret volumes belong to root, those of csi.cert-manager.io volumes to root with mode 0440. A user other " +
    "than root reads them by the mode's last digit, or by the group that fsGroup (for the driver also fs-group) gives them.",
  mend: "set fsGroup in the Pod's securityContext",
  severity: "warn",
  checkPod: (pod, facts) => (pod.isWindows ? [] : [...driverGroups(pod), ...unreadable(pod, facts)]),
};

function unreadable(pod: PodView, { contents }: PodFacts): readonly Problem[] {
  return pod.containers.flatMap((container) =>
    container.mounts.flatMap((mount) => {
      const volume = contents.get(mount.volume);
      const key = volume && keyOf(volume, mount);
      if (volume === undefined || key === undefined || !container.user.isNonRoot) return [];
      const why =
        volume.writer === "csi"
          ? refusedByDriver(volume, container, pod)
          : refusedByMode(key.mode, container, pod);
      if (why === undefined) return [];
      return [
        {
          path: mount.path,
          message: `${key.what} at ${mount.mountPath} cannot be read by ${container.name} as ${describe(container.user)}: ${why.reason}`,
          mend: why.mend,
        },
      ];
    }),
  );
}

interface MountedKey {
  /** `tls.key of Secret web`, or the Secret alone where its keys are not known. */
  readonly what: string;
  readonly mode: number;
}

function keyOf(volume: VolumeContents, { subPath }: MountView): MountedKey | undefined {
  const shown = (path: string) => subPath === undefined || path === subPath || path.startsWith(`${subPath}/`);
  const key = volume.files.find(({ role, path }) => (role === "key" || role === "keystore") && shown(path));
  if (key !== undefined) return { what: `${key.path} of ${key.source}`, mode: key.mode };
  const [likely] = volume.likely;
  return likely === undefined || subPath !== undefined
    ? undefined
    : { what: likely.source, mode: likely.mode };
}

interface Refusal {
  readonly reason: string;
  readonly mend: string;
}

/** With fsGroup the kubelet gives the files that group, which may read them whatever the mode says. */
function refusedByMode(mode: number, { user }: ContainerView, pod: PodView): Refusal | undefined {
  if (mode & 0o004 || pod.fsGroup !== undefined) return undefined;
  const octal = `0${mode.toString(8)}`;
  if (!(mode & 0o040)) {
    const reason = `its mode is ${octal}, its owner root, and the Pod has no fsGroup`;
    return { reason, mend: "set fsGroup in the Pod's securityContext: the kubelet lets that group read" };
  }
  if (mayBeOfRootsGroup(user, pod)) return undefined;
  const reason = `its mode is ${octal}, its group root, and the Pod has no fsGroup`;
  return { reason, mend: "set fsGroup in the Pod's securityContext: the kubelet gives the files that group" };
}

function refusedByDriver(volume: VolumeContents, { user }: ContainerView, pod: PodView): Refusal | undefined {
  const group = csiVolumeOf(volume.volume)?.attribute("fs-group");
  if (group === undefined) {
    if (pod.fsGroup !== undefined || mayBeOfRootsGroup(user, pod)) return undefined;
    return {
      reason: "its mode is 0440, its group root, and neither fs-group nor fsGroup gives it another",
      mend: "set fsGroup in the Pod's securityContext",
    };
  }
  // Which groups the image's own user is in is not known.
  if (user.gid === undefined) return undefined;
  const groups = [user.gid, ...(pod.fsGroup === undefined ? [] : [pod.fsGroup]), ...pod.supplementalGroups];
  if (groups.includes(Number(group))) return undefined;
  return {
    reason: `its mode is 0440 and its group ${group} (fs-group), of which the user is no member`,
    mend: `leave fs-group out and set fsGroup, or add ${group} to supplementalGroups`,
  };
}

/** A user whose group nobody named has that of the image, and group root if the image does not know the user. */
function mayBeOfRootsGroup({ gid, uid }: UserView, { supplementalGroups }: PodView): boolean {
  return gid === 0 || supplementalGroups.includes(0) || (gid === undefined && uid !== undefined);
}

/** An fs-group that the driver refuses, after it has had the certificate issued. */
function driverGroups(pod: PodView): readonly Problem[] {
  return pod.volumes.flatMap((volume) => {
    const csi = csiVolumeOf(volume);
    const group = csi?.attribute("fs-group");
    if (csi === undefined || group === undefined) return [];
    if (/^\d{1,10}$/.test(group) && Number(group) >= 1 && Number(group) <= 4_294_967_295) return [];
    return [
      {
        path: [...volume.path, "csi", "volumeAttributes", `${csi.driver}/fs-group`],
        message: `volume ${volume.name}: fs-group ${JSON.stringify(group)} is no group id from 1 to 4294967295: the driver refuses it, and the Pod never starts`,
        mend: "write the number of a group, or leave it out for the Pod's fsGroup",
      },
    ];
  });
}

function describe({ uid }: UserView): string {
  return uid === undefined ? "another user than root" : `user ${uid}`;
}
