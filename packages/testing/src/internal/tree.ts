import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Writes files below `root` in the order given; directories get 0755 whatever the umask, as the kubelet does. */
export async function writeTree(
  root: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  mode: number,
): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const target = join(root, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content, { mode });
  }
  await chmod(root, 0o755);
}
