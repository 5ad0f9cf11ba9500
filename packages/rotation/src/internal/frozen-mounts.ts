import { dirname } from "node:path";

/**
 * Which of the paths are mounts that never show an update: a file mounted by itself, or a directory inside an
 * AtomicWriter snapshot, which is what Kubernetes makes of `subPath`. `mountInfo` is /proc/self/mountinfo
 * (proc(5)); the paths are absolute with links resolved. Returns a sentence for each.
 */
export function describeFrozenMounts(mountInfo: string, paths: readonly string[]): readonly string[] {
  const roots = parseMountInfo(mountInfo);
  const found = new Set<string>();
  for (const path of paths) {
    const directory = dirname(path);
    if (roots.has(path)) found.add(`${path} is mounted as a single file`);
    else if (isSnapshot(roots.get(directory))) found.add(`${directory} is mounted from within a volume`);
  }
  return [...found].map((what) => `${what} (subPath?) and never shows an update: mount the whole volume`);
}

function isSnapshot(root: string | undefined): boolean {
  return root?.split("/").some((name) => /^\.\.\d/.test(name) || name === "volume-subpaths") ?? false;
}

/** Mount points, each with the root of the mount within its file system. */
function parseMountInfo(text: string): ReadonlyMap<string, string> {
  const roots = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, , , root, mountPoint] = line.split(" ");
    if (root !== undefined && mountPoint !== undefined)
      roots.set(unescapeOctal(mountPoint), unescapeOctal(root));
  }
  return roots;
}

function unescapeOctal(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
