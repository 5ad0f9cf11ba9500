// The real kubectl against the Kubernetes API of packages/testing: what people do by hand, and what scripts read.
// Needs: kubectl.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type KubernetesApi, startKubernetesApi } from "@newleaf/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { component } from "../component.ts";
import { run, startProcess } from "../process.ts";

const kubectl = component("NEWLEAF_KUBECTL");

interface Shell {
  readonly api: KubernetesApi;
  /** Runs kubectl as a user, `admin` unless said; resolves with what it printed, or with its complaint. */
  k(args: readonly string[], options?: { readonly user?: string; readonly input?: string }): Promise<string>;
  kubeconfig(user: string): string;
}

async function setUp(): Promise<Shell> {
  const folder = mkdtempSync(join(tmpdir(), "newleaf-kubectl-"));
  const api = await startKubernetesApi({ authorization: "rbac" });
  onTestFinished(async () => {
    await api[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  const kubeconfig = (user: string): string => {
    const path = join(folder, `${user}.yaml`);
    writeFileSync(path, api.kubeconfig({ user, credentials: user === "admin" ? "certificate" : "token" }), {
      mode: 0o600,
    });
    return path;
  };
  return {
    api,
    kubeconfig,
    async k(args, { user = "admin", input = "" } = {}) {
      const common = ["--kubeconfig", kubeconfig(user), "--cache-dir", join(folder, "cache")];
      const { code, stdout, stderr } = await run(kubectl ?? "", [...common, ...args], { input });
      return code === 0 ? `${stdout}${stderr}`.trim() : stderr.trim();
    },
  };
}

const deployment = (image: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - { name: main, image: "${image}", ports: [{ containerPort: 80 }] }
        - { name: side, image: "side:1" }
`;

describe.skipIf(kubectl === undefined)(
  "kubectl on the Kubernetes API of packages/testing (needs: kubectl)",
  () => {
    test("apply creates, changes and leaves alone; get and describe show it", async () => {
      const { k } = await setUp();
      expect(await k(["apply", "-f", "-"], { input: deployment("web:1") })).toBe(
        "deployment.apps/web created",
      );
      expect(await k(["apply", "-f", "-"], { input: deployment("web:2") })).toBe(
        "deployment.apps/web configured",
      );
      expect(await k(["apply", "-f", "-"], { input: deployment("web:2") })).toBe(
        "deployment.apps/web unchanged",
      );
      expect(await k(["get", "deploy"])).toMatch(
        /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0\/2 +0 +0 +\d+s$/,
      );
      expect(
        await k(["get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[*].image}"]),
      ).toBe("web:2 side:1");
      expect(await k(["describe", "deploy", "web"])).toMatch(/Replicas: +2 desired[\s\S]*Image: +web:2/);
      expect(await k(["get", "all"])).toContain("deployment.apps/web");
    });

    test("server-side apply names who owns what it would change, and forces", async () => {
      const { k } = await setUp();
      const apply = ["apply", "--server-side", "-f", "-"];
      const input = deployment("web:1");
      expect(await k(apply, { input })).toBe("deployment.apps/web serverside-applied");
      expect(await k(["scale", "deploy", "web", "--replicas=5"])).toBe("deployment.apps/web scaled");
      expect(await k(apply, { input })).toMatch(
        /Apply failed with 1 conflict: .*subresource "scale".*\.spec\.replicas/,
      );
      expect(await k([...apply, "--force-conflicts"], { input })).toBe(
        "deployment.apps/web serverside-applied",
      );
      expect(await k(["get", "deploy", "web", "-o", "jsonpath={.spec.replicas}"])).toBe("2");
    });

    test("typed commands, which speak protobuf, create and scale", async () => {
      const { k } = await setUp();
      expect(await k(["create", "configmap", "a", "--from-literal=k=v"])).toBe("configmap/a created");
      expect(await k(["create", "secret", "generic", "s", "--from-literal=k=v"])).toBe("secret/s created");
      expect(await k(["get", "secret", "s", "-o", "jsonpath={.data.k}"])).toBe("dg==");
      expect(await k(["create", "deployment", "web", "--image=web:1", "--replicas=3"])).toBe(
        "deployment.apps/web created",
      );
      expect(await k(["scale", "deploy", "web", "--replicas=0"])).toBe("deployment.apps/web scaled");
      expect(await k(["get", "deploy", "web", "-o", "jsonpath={.spec.replicas}"])).toBe("0");
      expect(await k(["create", "configmap", "a"])).toContain('configmaps "a" already exists');
      expect(await k(["create", "deployment", "Web", "--image=web:1"])).toContain(
        "a lowercase RFC 1123 subdomain",
      );
    });

    test("patch, replace, edit and delete", async () => {
      const { k, api } = await setUp();
      await k(["create", "configmap", "a", "--from-literal=k=v"]);
      expect(await k(["patch", "cm", "a", "-p", '{"data":{"z":"1"}}'])).toBe("configmap/a patched");
      const json = '[{"op":"remove","path":"/data/z"}]';
      expect(await k(["patch", "cm", "a", "--type=json", "-p", json])).toBe("configmap/a patched");
      expect(await k(["label", "cm", "a", "tier=x"])).toBe("configmap/a labeled");
      const shown = await k(["get", "cm", "a", "-o", "json"]);
      expect(await k(["replace", "-f", "-"], { input: shown.replace('"v"', '"w"') })).toBe(
        "configmap/a replaced",
      );
      expect(await k(["replace", "-f", "-"], { input: shown })).toContain("the object has been modified");
      expect(api.store.get("configmaps", "default", "a")?.data).toEqual({ k: "w" });
      expect(await k(["get", "cm", "-l", "tier in (x)", "-o", "name"])).toBe("configmap/a");
      expect(await k(["delete", "cm", "a"])).toBe('configmap "a" deleted from default namespace');
      expect(await k(["get", "cm", "a"])).toBe('Error from server (NotFound): configmaps "a" not found');
    });

    test("a watch prints each change", async () => {
      const { k, kubeconfig } = await setUp();
      await k(["create", "configmap", "a", "--from-literal=k=v"]);
      await using watch = startProcess(kubectl ?? "", [
        "--kubeconfig",
        kubeconfig("admin"),
        "get",
        "cm",
        "-w",
      ]);
      await watch.line(/^a +1 /);
      await k(["patch", "cm", "a", "-p", '{"data":{"z":"1"}}']);
      expect(await watch.line(/^a +2 /)).toBeDefined();
    });

    test("a Lease is shown with its annotations", async () => {
      const { k, api } = await setUp();
      api.store.create("leases.coordination.k8s.io", {
        metadata: {
          name: "serving",
          namespace: "default",
          annotations: { "newleaf.dev/cert-ready": "true" },
        },
        spec: { holderIdentity: "one" },
      });
      const shown = await k(["get", "lease", "serving", "-o", "yaml"]);
      expect(shown).toMatch(/annotations:\n +newleaf\.dev\/cert-ready: "true"/);
      expect(shown).toContain("holderIdentity: one");
    });

    test("roles decide, and auth can-i says so", async () => {
      const { k } = await setUp();
      expect(await k(["get", "pods"], { user: "bob" })).toBe(
        'Error from server (Forbidden): pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "default"',
      );
      expect(await k(["auth", "can-i", "list", "pods"])).toBe("yes");
      await k(["create", "role", "reader", "--verb=get,list", "--resource=pods"]);
      await k(["create", "rolebinding", "bob-reads", "--role=reader", "--user=bob"]);
      expect(await k(["auth", "can-i", "list", "pods"], { user: "bob" })).toBe("yes");
      expect(await k(["get", "pods"], { user: "bob" })).toBe("No resources found in default namespace.");
      expect(await k(["auth", "can-i", "--list"], { user: "bob" })).toMatch(/pods .*\[get list\]/);
      expect(await k(["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"], { user: "bob" })).toBe(
        "bob",
      );
      await k(["create", "serviceaccount", "robot"]);
      const token = await k(["create", "token", "robot"]);
      expect(
        await k(["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}", "--token", token], {
          user: "bob",
        }),
      ).toBe("system:serviceaccount:default:robot");
    });
  },
);
