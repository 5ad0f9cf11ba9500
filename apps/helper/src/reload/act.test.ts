import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { act } from "./act.ts";

const soon = () => AbortSignal.timeout(10_000);

test("exec: the command ends well, or what it said is in the error", async () => {
  const node = process.execPath;
  await act({ kind: "exec", command: [node, "-e", "process.exit(0)"] }, soon());
  const failing = [node, "-e", "console.error('one'); console.error('two'); process.exit(4)"];
  await expect(act({ kind: "exec", command: failing }, soon())).rejects.toThrow(/ended with 4: one; two$/);
  await expect(act({ kind: "exec", command: ["/no/such"] }, soon())).rejects.toThrow(
    /cannot be run \(ENOENT\)/,
  );
  const slow = [node, "-e", "setInterval(() => {}, 1000)"];
  await expect(act({ kind: "exec", command: slow }, AbortSignal.timeout(300))).rejects.toThrow(
    /did not end in time/,
  );
});

test("exec: no shell is involved", async () => {
  const command = [
    process.execPath,
    "-e",
    "process.exit(process.argv[1] === '$HOME; exit 3' ? 0 : 1)",
    "$HOME; exit 3",
  ];
  await act({ kind: "exec", command }, soon());
});

test("http: asks with the method, refuses redirects and other answers than 2xx", async () => {
  const asked: string[] = [];
  const answers = [204, 500, 302];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(answers[asked.length - 1] ?? 500, { location: "/elsewhere" }).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/reload?token=secret`;
  await act({ kind: "http", url, method: "PUT" }, soon());
  await expect(act({ kind: "http", url, method: "POST" }, soon())).rejects.toThrow(/\/reload answered 500$/);
  await expect(act({ kind: "http", url, method: "POST" }, soon())).rejects.toThrow(/\/reload failed/);
  expect(asked).toEqual([
    "PUT /reload?token=secret",
    "POST /reload?token=secret",
    "POST /reload?token=secret",
  ]);
  server.close();
});

test("signal and nginx: a pid file that names nobody is an error; a failing nginx -t sends no signal", async () => {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-act-"));
  const pidFile = join(directory, "pid");
  await expect(act({ kind: "signal", process: { pidFile }, signal: "SIGHUP" }, soon())).rejects.toThrow(
    /cannot be read/,
  );
  let hups = 0;
  const count = () => {
    hups += 1;
  };
  process.on("SIGHUP", count);
  await writeFile(pidFile, `${process.pid}\n`);
  const test = [process.execPath, "-e", "process.exit(1)"];
  await expect(act({ kind: "nginx", pidFile, test }, soon())).rejects.toThrow(/ended with 1/);
  expect(hups).toBe(0);
  await act({ kind: "nginx", pidFile, test: [] }, soon());
  await expect.poll(() => hups, { timeout: 10_000 }).toBe(1);
  process.off("SIGHUP", count);
  await rm(directory, { recursive: true });
});

test("postgres: logs in with the password of the file, asks for pg_reload_conf(), and tells no secret when that fails", async () => {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-act-"));
  await writeFile(join(directory, "password"), "pa ss&word\n");
  const seen: string[] = [];
  const server = createTcpServer((socket) => {
    let started = false;
    socket.on("error", () => {});
    socket.on("data", (data) => {
      if (!started) {
        started = true;
        socket.write(message("R", Buffer.from([0, 0, 0, 3])));
        return;
      }
      if (data[0] === 0x70) {
        seen.push(data.subarray(5, -1).toString());
        socket.write(Buffer.concat([message("R", Buffer.alloc(4)), message("Z", Buffer.from("I"))]));
      } else if (data[0] === 0x51) {
        seen.push(data.subarray(5, -1).toString());
        socket.write(
          Buffer.concat([message("C", Buffer.from("SELECT 1\0")), message("Z", Buffer.from("I"))]),
        );
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const dsn = { text: `postgres://helper@127.0.0.1:${(server.address() as AddressInfo).port}/postgres` };
  const password = { file: join(directory, "password") };
  await act({ kind: "postgres", dsn, password }, soon());
  expect(seen).toEqual(["pa ss&word", "SELECT pg_reload_conf()"]);
  server.close();
  const closed = { kind: "postgres", dsn: { text: "postgres://u:secret@127.0.0.1:1/x" }, password } as const;
  const error: Error = await act(closed, soon()).then(
    () => new Error("it worked"),
    (thrown: Error) => thrown,
  );
  expect(error.message).toMatch(/^pg_reload_conf\(\) failed: .*ECONNREFUSED/);
  expect(error.message).not.toMatch(/secret|pa ss/);
  await rm(directory, { recursive: true });
});

test.each([
  ["keywords", "host=127.0.0.1 password=secret1"],
  ["nothing", "\n"],
])("postgres: a dsn file that holds %s is named, and no other server is asked", async (_, content) => {
  const directory = await mkdtemp(join(tmpdir(), "newleaf-act-"));
  const file = join(directory, "dsn");
  await writeFile(file, content);
  await expect(act({ kind: "postgres", dsn: { file }, password: undefined }, soon())).rejects.toThrow(
    `${file} holds no URL, such as postgres://user@host/database`,
  );
  await rm(directory, { recursive: true });
});

/** One message of PostgreSQL's protocol. */
function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 0);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
