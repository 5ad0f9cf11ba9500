import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type LogLine, newleaf, startNewleaf } from "./run-newleaf.ts";
import {
  ACCOUNT,
  createWebhookWorld,
  NAME,
  NAMESPACE,
  quick,
  type WebhookWorld,
  whenReady,
} from "./webhook-world.ts";

const webhook = ["webhook", "--from-secret"];
const follower = ["webhook-certs", "follower", "--name", "shop", "--from-secret"];
const eventually = { timeout: 20_000, interval: 50 };

test.each<[string[], string, string]>([
  [["webhook"], "there is nowhere to take the certificate from", "--from-secret"],
  [[...webhook, "--authority-duration", "48h"], "at least three times", "must outlive"],
  [[...webhook, "--renew-deadline", "15s"], "--lease-duration must be longer", "15s, 10s and 2s"],
  [[...webhook, "--retry-period", "9s"], "--lease-duration must be longer", "15s, 10s and 2s"],
  [[...webhook, "--ip", "shop"], "is no IP address", ""],
  [[...webhook, "--validating", "Shop"], "is no name of an object", ""],
  [[...webhook, "--acknowledge", "me"], "--acknowledge", ""],
  [[...webhook, "--rule", "subpaht=deny"], "is not rule=severity", "rules: subpath"],
  [[...webhook, "--kubeconfig", "/nowhere/config"], "/nowhere/config", "--kubeconfig"],
  [["webhook-certs", "leader"], "--name is required", "--name shop-webhook"],
  [["webhook-certs", "follower", "--name", "shop", "--out", "/tmp/out"], "there is nowhere", "--from-secret"],
  [follower, "--out is required", ""],
  [
    [...follower, "--out", "/etc/tls", "--certs", "/etc/tls/"],
    "--out is the directory of --certs",
    "its own",
  ],
  [[...follower, "--out", "/o", "--pid", "7", "--pid-file", "/p"], "exclude each other", "once"],
  [[...follower, "--out", "/o", "--signal", "HUP"], "is no signal, such as SIGHUP", ""],
  [[...follower, "--out", "/o", "--verify", "ftp://x"], "is no target", "HOST:PORT"],
])("%j is refused with exit code 2", async (argv, message, hint) => {
  const { code, stderr } = await newleaf([...argv, "--admin", "off"]);
  expect(stderr).toContain(message);
  expect(stderr).toContain(hint);
  expect(stderr).not.toContain("    at ");
  expect(code).toBe(2);
});

test("a kubeconfig without the context that was named is a wrong configuration", async () => {
  await using world = await createWebhookWorld();
  const kubeconfig = await world.kubeconfig();
  const { code, stderr } = await newleaf([
    ...webhook,
    "--kubeconfig",
    kubeconfig,
    "--context",
    "prod",
    "--admin",
    "off",
  ]);
  expect(stderr).toMatch(/prod/);
  expect(code).toBe(2);
});

test("no certificate in time ends with 1, says what was missing, and lets go of what it held", async () => {
  await using world = await createWebhookWorld();
  const program = startNewleaf([
    "webhook-certs", "follower", "--name", "shop-webhook", "--kubeconfig", await world.kubeconfig(), "--from-secret",
    "--out", world.directory, "--cert-timeout", "2s",
  ]); // biome-ignore format: one command line
  expect(await program.ended).toBe(1);
  const [last] = program.lines("stopped by an error");
  expect(last?.error).toMatch(
    /timeout waiting for webhook certificates: there is no Lease shop-webhook: no leader has issued a certificate/,
  );
  expect(last?.hint).toMatch(/kubectl get lease,secret shop-webhook -n shop/);
});

test("a timeout that is to be waited out is said, and the certificate taken when it comes", async () => {
  await using world = await createWebhookWorld();
  const follower = startNewleaf([
    "webhook-certs", "follower", "--name", NAME, "--kubeconfig", await world.kubeconfig(), "--from-secret", "--out",
    world.directory, "--cert-timeout", "200ms", "--on-cert-timeout", "wait", "--acknowledge", "none",
  ]); // biome-ignore format: one command line
  await expect
    .poll(() => follower.lines("no certificate in time, waiting on").length, eventually)
    .toBeGreaterThan(0);
  await expect
    .poll(() => follower.ask("/readyz"), eventually)
    .toMatchObject({ status: 503, text: expect.stringContaining("there is no Lease newleaf-webhook") });
  expect((await follower.ask("/livez")).status).toBe(200);
  await world.replica("shop-0");
  await whenReady(follower);
  expect(await follower.stop()).toBe(0);
});

test("stopped while it waits for a first certificate it ends with 0, and at once", async () => {
  await using world = await createWebhookWorld();
  const both = ["--certs", join(world.directory, "nothing-mounted"), "--from-secret"];
  const follower = startNewleaf([
    "webhook-certs", "follower", "--name", NAME, "--kubeconfig", await world.kubeconfig(), "--out", world.directory,
    "--acknowledge", "none", ...both,
  ]); // biome-ignore format: one command line
  await expect.poll(() => follower.ask("/readyz"), eventually).toMatchObject({ status: 503 });
  await expect
    .poll(() => follower.ask("/readyz"), eventually)
    .toMatchObject({ text: expect.stringContaining("there is no Lease") });
  expect(await follower.stop()).toBe(0);
  expect(follower.lines().filter(({ level }) => level === "error")).toEqual([]);
});

test("what RBAC forbids is named as the rule that is missing", { timeout: 60_000 }, async () => {
  await using world = await createWebhookWorld({ authorization: "rbac" });
  const program = await world.replica("shop-0", ["--from-secret", "--cert-timeout", "2"]);
  expect(await program.ended).toBe(1);
  const missing = program.lines("RBAC rule is missing").map(({ rule }) => rule);
  expect(missing).toContainEqual({
    apiGroups: ["admissionregistration.k8s.io"],
    resources: ["validatingwebhookconfigurations"],
    resourceNames: [NAME],
    verbs: ["get", "list", "watch", "patch"],
  });
  const [last] = program.lines("stopped by an error");
  expect(last?.error).toMatch(/Lease newleaf-webhook could not be read yet/);
  expect(last?.hint).toMatch(
    /RBAC rules are missing: list,watch leases.coordination.k8s.io\/newleaf-webhook in shop;/,
  );
});

test("the rules that are named are enough, and none of them is missed", { timeout: 60_000 }, async () => {
  await using world = await createWebhookWorld({ authorization: "rbac" });
  const asked = await world.replica("shop-0", ["--from-secret", "--cert-timeout", "2s"]);
  expect(await asked.ended).toBe(1);
  grant(world, asked.lines("RBAC rule is missing"));
  world.api.audit.clear();
  const replica = await world.replica("shop-1");
  await replica.ready;
  await expect.poll(() => world.caBundle(), eventually).toBeTruthy();
  expect(replica.lines("RBAC rule is missing")).toEqual([]);
  const refused = world.api.audit.entries.filter(({ code, user }) => code === 403 && user === ACCOUNT);
  expect(refused.map(({ verb, resource, name }) => `${verb} ${resource} ${name}`)).toEqual([]);
});

/** Makes roles of what the program says is missing. */
function grant({ api }: WebhookWorld, lines: readonly LogLine[]): void {
  const rules = lines.map(({ rule, namespace }) => {
    const { resourceNames, ...rest } = rule as { resources: string[]; resourceNames?: string[] };
    // Each Pod has a name of its own, which a Role cannot know.
    const named = resourceNames && rest.resources[0] !== "pods" ? { resourceNames } : {};
    return { namespace, rule: { ...rest, ...named } };
  });
  const roles = [
    { kind: "Role", in: { namespace: NAMESPACE }, rules: rules.filter(({ namespace }) => namespace) },
    { kind: "ClusterRole", in: {}, rules: rules.filter(({ namespace }) => !namespace) },
  ];
  for (const { kind, in: where, rules } of roles) {
    const resource = `${kind.toLowerCase()}s.rbac.authorization.k8s.io`;
    const binding = `${kind.toLowerCase()}bindings.rbac.authorization.k8s.io`;
    const metadata = { name: NAME, ...where };
    api.store.create(resource, { metadata, rules: rules.map(({ rule }) => rule) as never });
    api.store.create(binding, {
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind, name: NAME },
      subjects: [{ kind: "ServiceAccount", name: NAME, namespace: NAMESPACE }],
    });
  }
}

test("an API server that is away is no reason to stop serving, or to be unready", {
  timeout: 60_000,
}, async () => {
  await using world = await createWebhookWorld();
  const replica = await world.replica("shop-0");
  await replica.ready;
  await world.api.listener.setAvailable(false);
  await expect
    .poll(
      async () => JSON.parse((await replica.ask("/readyz?verbose")).text).checks.leadership.details,
      eventually,
    )
    .toMatchObject({ leads: false });
  expect((await replica.ask("/readyz")).status).toBe(200);
  expect((await replica.ask("/livez")).status).toBe(200);
  expect(await replica.serving()).toBeTruthy();
  await world.api.listener.setAvailable(true);
  await expect
    .poll(
      async () => JSON.parse((await replica.ask("/readyz?verbose")).text).checks.leadership.details,
      eventually,
    )
    .toMatchObject({ leads: true, doing: "renewal" });
});

test("namespace and Pod are those of the environment, options those of a file", async () => {
  await using world = await createWebhookWorld();
  const config = join(world.directory, "config.yaml");
  await writeFile(config, "from-secret: true\nlisten: 127.0.0.1:0\nacknowledge: none\n");
  const program = startNewleaf(
    ["webhook", "--config", config, "--kubeconfig", await world.kubeconfig(), ...quick],
    { POD_NAMESPACE: NAMESPACE, POD_NAME: "from-env" },
  );
  await whenReady(program);
  expect(program.lines("webhook started")[0]).toMatchObject({
    namespace: NAMESPACE,
    pod: "from-env",
    name: NAME,
  });
  expect((await world.lease(`${NAME}-leader`))?.spec?.holderIdentity).toBe("from-env");
  expect(await program.stop()).toBe(0);
  expect((await world.lease(`${NAME}-leader`))?.spec?.holderIdentity).toBe("");
});
