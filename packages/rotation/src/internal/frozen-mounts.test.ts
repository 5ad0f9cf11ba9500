import { expect, test } from "vitest";
import { describeFrozenMounts } from "./frozen-mounts.ts";

const mountInfo = `
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/root rw
1011 930 0:103 / /etc/whole ro,relatime - tmpfs tmpfs rw,size=3145728k
1012 930 0:104 /..2026_01_02_03_04_05.678/tls.crt /etc/tls/tls.crt ro,relatime - tmpfs tmpfs rw
1013 930 0:105 /..2026_01_02_03_04_05.678/sub /etc/sub ro,relatime - tmpfs tmpfs rw
1016 930 0:106 /..2026_01_02_03_04_05.678//deleted /etc/gone ro,relatime - tmpfs tmpfs rw
1014 930 8:1 /var/lib/kubelet/pods/uid/volume-subpaths/certs/app/0 /etc/with\\040blank rw - ext4 /dev/sda1 rw
1015 930 8:1 /home/user/certs /etc/bind rw - ext4 /dev/sda1 rw
`;

const describe = (path: string): readonly string[] => describeFrozenMounts(mountInfo, [path]);

test("a file that is a mount of its own never updates", () => {
  expect(describe("/etc/tls/tls.crt")).toEqual([
    "/etc/tls/tls.crt is mounted as a single file (subPath?) and never shows an update: mount the whole volume",
  ]);
});

test("a directory from inside a volume never updates", () => {
  expect(describe("/etc/sub/tls.crt")).toEqual([
    expect.stringMatching(/^\/etc\/sub is mounted from within a volume \(subPath\?\)/),
  ]);
  expect(describe("/etc/gone/tls.crt")).toHaveLength(1);
  expect(describe("/etc/with blank/tls.crt")).toHaveLength(1);
});

test("whole volumes, bound directories and no mounts at all are fine", () => {
  expect(describe("/etc/whole/tls.crt")).toEqual([]);
  expect(describe("/etc/bind/tls.crt")).toEqual([]);
  expect(describe("/somewhere/else/tls.crt")).toEqual([]);
  expect(describeFrozenMounts("", ["/etc/tls/tls.crt"])).toEqual([]);
});
