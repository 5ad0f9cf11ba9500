import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadKubeconfig } from "./kubeconfig.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kubeconfig-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, text);
  return path;
}

const BASE = `
apiVersion: v1
kind: Config
current-context: blue
clusters:
- name: one
  cluster: { server: "https://one.test:6443", certificate-authority: pki/ca.crt, tls-server-name: kubernetes }
- name: two
  cluster: { server: two.test, certificate-authority-data: Q0E= }
users:
- name: jane
  user: { client-certificate: pki/jane.crt, client-key-data: S0VZ, as: admin, as-groups: [ops], as-user-extra: { reason: [x] } }
- name: robot
  user: { tokenFile: token }
contexts:
- name: blue
  context: { cluster: one, user: jane, namespace: shop }
- name: green
  context: { cluster: two, user: robot }
`;

describe("a context", () => {
  it("is the current one, with paths relative to the file", async () => {
    const path = await write("base", BASE);
    expect(await loadKubeconfig({ path })).toEqual({
      server: "https://one.test:6443/",
      namespace: "shop",
      origin: `context "blue" of ${path}`,
      tls: {
        ca: { file: join(folder, "pki/ca.crt") },
        cert: { file: join(folder, "pki/jane.crt") },
        key: { pem: "KEY" },
        serverName: "kubernetes",
        insecureSkipVerify: false,
      },
      user: { impersonate: { userName: "admin", groups: ["ops"], extra: { reason: ["x"] } } },
    });
  });

  it("is another when asked for", async () => {
    const path = await write("base", BASE);
    expect(await loadKubeconfig({ path, context: "green" })).toMatchObject({
      server: "https://two.test/",
      namespace: "default",
      tls: { ca: { pem: "CA" } },
      user: { tokenFile: join(folder, "token") },
    });
  });
});

// clientcmd's loading rules.
describe("several files", () => {
  it("ExampleMergingSomeWithConflict: the first that names something counts, each with its own folder", async () => {
    const first = await write(
      "a/config",
      `
clusters: [{ name: one, cluster: { server: "https://first.test", certificate-authority: ca.crt } }]
users: [{ name: jane, user: { token: first } }]`,
    );
    const second = await write("b/config", BASE);
    const absent = join(folder, "absent");
    const env = { KUBECONFIG: [absent, first, "", second, first].join(delimiter) };
    expect(await loadKubeconfig({ env })).toMatchObject({
      server: "https://first.test/",
      namespace: "shop",
      tls: { ca: { file: join(folder, "a/ca.crt") } },
      user: { token: "first" },
    });
    expect(await loadKubeconfig({ env, context: "green" })).toMatchObject({
      user: { tokenFile: join(folder, "b/token") },
    });
  });

  it("are those of KUBECONFIG, or the one in HOME, unless a path is given", async () => {
    const path = await write("base", BASE);
    await write("home/.kube/config", BASE.replace("one.test", "home.test"));
    const HOME = join(folder, "home");
    expect(await loadKubeconfig({ env: { HOME } })).toMatchObject({ server: "https://home.test:6443/" });
    expect(await loadKubeconfig({ env: { HOME, KUBECONFIG: path } })).toMatchObject({
      server: "https://one.test:6443/",
    });
    expect(await loadKubeconfig({ path, env: { HOME } })).toMatchObject({ server: "https://one.test:6443/" });
  });

  it("TestNonExistentCommandLineFile", async () => {
    const path = join(folder, "absent");
    await expect(loadKubeconfig({ path })).rejects.toMatchObject({
      code: "ERR_KUBE_CONFIG",
      message: `kubeconfig ${path} cannot be read: ENOENT`,
    });
    await expect(loadKubeconfig({ env: { KUBECONFIG: path } })).rejects.toMatchObject({
      code: "ERR_KUBE_CONFIG",
    });
  });
});

describe("errors name the place and no value", () => {
  const user = (yaml: string): string => BASE.replace("tokenFile: token", yaml);
  it.each([
    ["no YAML", "users: [{ name: a, user: { token: secret", /is no YAML: line \d+: /],
    ["no mapping", "secret", /is no mapping/],
    ["no current context", "{}", /has no current context/],
    [
      "a context that is not there",
      BASE.replace("current-context: blue", "current-context: red"),
      /no context "red"; there is "blue", "green"/,
    ],
    [
      "a cluster that is not there",
      BASE.replace("cluster: two, user", "cluster: three, user"),
      /context "green" of .*: no cluster "three"; there is "one", "two"/,
    ],
    [
      "a user that is not there",
      BASE.replace("user: robot }", "user: cat }"),
      /context "green" of .*: no user "cat"/,
    ],
    [
      "TestAcceptDuplicate: two of a name",
      BASE.replace("- name: two", "- name: one"),
      /has two clusters named "one"/,
    ],
    [
      "a server with a password",
      BASE.replace("server: two.test", 'server: "https://me:secret@two.test"'),
      /cluster "two" of .* has a server with a user/,
    ],
    ["no server", BASE.replace("server: two.test,", ""), /cluster "two" of .* has no server/],
    [
      "an authority that is not looked at",
      BASE.replace("server: two.test", "server: two.test, insecure-skip-tls-verify: true"),
      /both/,
    ],
    [
      "data that is no base64",
      BASE.replace("Q0E=", "'%secret'"),
      /certificate-authority-data that is no base64/,
    ],
    [
      "a token that is no string",
      user("token: [secret]"),
      /user "robot" of .* has a token that is no string/,
    ],
    [
      "a certificate without its key",
      user("client-certificate-data: c2VjcmV0"),
      /has a client certificate without its key/,
    ],
    ["a password and a token", user("username: a, password: secret, token: secret"), /both a user name/],
    [
      "an auth-provider",
      user("auth-provider: { name: gcp, config: { access-token: secret } }"),
      /hint: use the exec plugin/,
    ],
    [
      "a plugin of an old version",
      user("exec: { apiVersion: client.authentication.k8s.io/v1alpha1, command: secret }"),
      /exec of user "robot" of .* has an apiVersion/,
    ],
    [
      "a plugin without a command",
      user("exec: { apiVersion: client.authentication.k8s.io/v1 }"),
      /has no command/,
    ],
    ["groups of nobody", user("as-groups: [secret]"), /impersonates/],
  ])("%s", async (_, text, message) => {
    const path = await write("bad", text);
    const context = text.includes("current-context: blue") ? "green" : undefined;
    const failure = await loadKubeconfig({ path, context }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "ERR_KUBE_CONFIG", message: expect.stringMatching(message) });
    expect(String(failure)).toContain(path);
    expect(String(failure) + String((failure as Error).cause)).not.toContain("secret");
  });
});

it("what YAML warns of is not shown, since the line may hold a token", async () => {
  const warnings: string[] = [];
  const note = (warning: Error): void => void warnings.push(warning.message);
  process.on("warning", note);
  const path = await write("tagged", `${BASE}- name: tagged\n  context: { cluster: one, user: !of secret }`);
  await expect(loadKubeconfig({ path, context: "tagged" })).rejects.toMatchObject({
    code: "ERR_KUBE_CONFIG",
  });
  // Warnings are emitted in a later turn.
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", note);
  expect(warnings).toEqual([]);
});

it("a plugin is told of its cluster when it asks", async () => {
  const path = await write(
    "plugin/config",
    BASE.replace(
      "tokenFile: token",
      `exec: {
    apiVersion: client.authentication.k8s.io/v1, command: ./bin/login, args: [a, b], env: [{ name: A, value: B }],
    installHint: install it, interactiveMode: Never, provideClusterInfo: true }`,
    ).replace(
      "certificate-authority-data: Q0E=",
      `certificate-authority-data: Q0E=, proxy-url: "http://proxy:1",
    extensions: [{ name: client.authentication.k8s.io/exec, extension: { audience: x } }]`,
    ),
  );
  expect((await loadKubeconfig({ path, context: "green" })).user.exec).toEqual({
    apiVersion: "client.authentication.k8s.io/v1",
    command: join(folder, "plugin/bin/login"),
    args: ["a", "b"],
    env: { A: "B" },
    installHint: "install it",
    interactiveMode: "Never",
    cluster: {
      server: "two.test",
      "certificate-authority-data": "Q0E=",
      "proxy-url": "http://proxy:1",
      config: { audience: "x" },
    },
  });
});
