import type { Problem } from "./finding.ts";
import type { ContainerView, MountView } from "./pod-view.ts";
import type { PodFacts, Rule } from "./rule.ts";
import { isSystemTrustPath } from "./tls-file-name.ts";
import type { VolumeContents } from "./volume-contents.ts";

export const splitBundleRule: Rule = {
  id: "split-bundle",
  title: "a CA bundle and a leaf mounted from different volumes, which swap at different times",
  reason:
    "All files of one volume change in one rename; two volumes change up to a kubelet sync apart. While a CA is replaced " +
    "the new leaf may be there before the bundle that its peers' certificates verify to, or the bundle without the old CA " +
    "while peers still show it.",
  mend: "put both into one projected volume, or keep the old and the new CA in the bundle until every leaf is replaced",
  severity: "warn",
  checkPod: (pod, facts) =>
    pod.containers.filter(({ runsOnce }) => !runsOnce).flatMap((container) => bundlesApart(container, facts)),
};

function bundlesApart(container: ContainerView, { contents }: PodFacts): readonly Problem[] {
  const mounted = container.mounts.flatMap((mount) => {
    const volume = contents.get(mount.volume);
    return volume === undefined ? [] : [{ mount, volume }];
  });
  const leaf = mounted.find(({ volume, mount }) => leafOf(volume, mount) !== undefined);
  if (leaf === undefined) return [];
  const leafSource = leafOf(leaf.volume, leaf.mount) ?? "";
  const reported = new Set<string>();
  return mounted.flatMap(({ mount, volume }) => {
    const bundle = bundleOf(volume, mount);
    if (bundle === undefined || mount.volume === leaf.mount.volume || reported.has(mount.volume)) return [];
    reported.add(mount.volume);
    return [
      {
        path: mount.path,
        message:
          `${container.name} has its certificate from ${leafSource} (volume ${leaf.mount.volume}) and the CAs from ` +
          `${bundle} (volume ${mount.volume}): the two swap up to a kubelet sync apart`,
        mend: "put both into one projected volume, or keep old and new CA in the bundle throughout",
      },
    ];
  });
}

/** The source of a leaf that updates under way; what is mounted with subPath never does, and has a rule of its own. */
function leafOf(volume: VolumeContents, { subPath }: MountView): string | undefined {
  if (subPath !== undefined) return undefined;
  const file = volume.files.find(
    ({ role, source }) => role === "certificate" && !source.startsWith("ConfigMap"),
  );
  return (file ?? volume.likely[0])?.source;
}

/** The source of a bundle in a volume without a leaf, which is not there for servers of the public web. */
function bundleOf(volume: VolumeContents, mount: MountView): string | undefined {
  if (mount.subPath !== undefined || isSystemTrustPath(mount.mountPath)) return undefined;
  if (leafOf(volume, mount) !== undefined || volume.files.some(({ role }) => role === "key"))
    return undefined;
  const bundle = volume.files.find(({ role }) => role === "ca")?.source ?? volume.likelyBundles[0];
  // What the API server is verified with, not a peer.
  return bundle === "ConfigMap kube-root-ca.crt" ? undefined : bundle;
}
