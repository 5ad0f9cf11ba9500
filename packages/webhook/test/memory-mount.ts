import { createIdentityHolder, type IdentityHolder, type IdentityMaterial } from "@newleaf/rotation";
import type { MountOptions, OpenMount } from "../src/follower.ts";

/** A mounted Secret without a file system: what is written is offered, all at once. */
export interface MemoryMount {
  readonly open: OpenMount;
  write(files: IdentityMaterial): void;
  /** How often the follower has read it again. */
  readonly reloads: number;
  /** While set, reading it again waits for this. */
  slow: Promise<void> | undefined;
}

export function createMemoryMount(): MemoryMount {
  let files: IdentityMaterial | undefined;
  let holder: IdentityHolder | undefined;
  const mount = {
    reloads: 0,
    slow: undefined as Promise<void> | undefined,
    async open({ signal, firstTimeoutMs, ...options }: MountOptions) {
      const opened = createIdentityHolder(options);
      holder = opened;
      if (files) opened.offer(files);
      try {
        await opened.first({ signal, timeoutMs: firstTimeoutMs });
      } catch (error) {
        opened.close();
        throw error;
      }
      return opened.asSource({
        async reload() {
          mount.reloads += 1;
          await mount.slow;
          if (files) holder?.offer(files);
        },
        close: async () => {
          holder = undefined;
          opened.close();
        },
      });
    },
    write(written: IdentityMaterial) {
      files = written;
      holder?.offer(written);
    },
  };
  return mount;
}
