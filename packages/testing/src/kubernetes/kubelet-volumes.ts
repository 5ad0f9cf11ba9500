import { join } from "node:path";
import { type AtomicVolume, createAtomicVolume } from "../atomic-volume.ts";
import type { KubeletOptions } from "./kubelet.ts";

/** Where a volume of a Pod is below the directory of a node. */
export function kubeletVolumePath(
  directory: string,
  pod: string,
  volume: string,
  namespace = "default",
): string {
  return join(directory, namespace, pod, volume);
}

/** Writes volumes below a directory as the kubelet does, each with its own `..data` that is swapped as a whole. */
export function writeKubeletVolumes(directory: string): KubeletOptions["write"] {
  const volumes = new Map<string, Promise<AtomicVolume>>();
  const volumeAt = (path: string): Promise<AtomicVolume> => {
    const found = volumes.get(path) ?? createAtomicVolume(path);
    volumes.set(path, found);
    return found;
  };
  return async (pod, { name }, files) => {
    const { name: podName = "", namespace } = pod.metadata;
    const volume = await volumeAt(kubeletVolumePath(directory, podName, name, namespace));
    await volume.write(files);
  };
}
