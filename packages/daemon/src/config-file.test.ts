import { expect, test } from "vitest";
import { loadConfigFile, parseConfigFile } from "./config-file.ts";

test("values keep their written form and their place", async () => {
  const file = await parseConfigFile(
    "listen: 0.0.0.0:8443 # everywhere\nserial: 010\nallow-dns: [a.example, b.example]\ntickets: false\nnothing:\n",
    "newleaf.yaml",
  );
  expect(Object.fromEntries(file.entries)).toEqual({
    listen: { value: "0.0.0.0:8443", place: "newleaf.yaml:1:9" },
    serial: { value: "010", place: "newleaf.yaml:2:9" },
    "allow-dns": { value: ["a.example", "b.example"], place: "newleaf.yaml:3:12" },
    tickets: { value: false, place: "newleaf.yaml:4:10" },
    nothing: { value: undefined, place: expect.stringContaining("newleaf.yaml:5") },
  });
  expect((await parseConfigFile("# nothing yet\n", "x")).entries.size).toBe(0);
});

test.each([
  ["a: b: c", /^x\.yaml:1:\d+ is not YAML/],
  ["- a\n- b", /no mapping/],
  ["server:\n  listen: x", /x\.yaml:\d+:\d+: server is neither a value nor a list/],
  ["a: 1\na: 2", /not YAML: Map keys must be unique/],
])("%j is refused in one line", async (text, message) => {
  await expect(parseConfigFile(text, "x.yaml")).rejects.toMatchObject({
    code: "ERR_DAEMON_CONFIG",
    message: expect.stringMatching(message),
  });
});

test("a file that cannot be read says why", async () => {
  await expect(loadConfigFile("/nonexistent/newleaf.yaml")).rejects.toMatchObject({
    code: "ERR_DAEMON_CONFIG",
    message: "cannot read config file /nonexistent/newleaf.yaml: ENOENT",
  });
});

test("a file without an end is not read to its end", async () => {
  await expect(loadConfigFile("/dev/zero")).rejects.toMatchObject({
    code: "ERR_DAEMON_CONFIG",
    message: "config file /dev/zero is larger than 1048576 bytes",
  });
});
