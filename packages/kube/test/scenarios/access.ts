import { resources } from "@newleaf/kube";
import { expect } from "vitest";
import { configMap, serviceAccounts } from "./objects.ts";
import { eventually, ok, refusal, type Scenario } from "./scenario.ts";

interface Review {
  readonly status: { readonly allowed: boolean; readonly reason?: string };
}

export const access: readonly Scenario[] = [
  {
    name: "rights: what is forbidden says who may not do what, where",
    async run({ alice, namespace }) {
      const configMaps = alice.resource(resources.configMaps, { namespace });
      const status = refusal(await configMaps.get("a"));
      expect(status).toMatchObject({
        code: 403,
        reason: "Forbidden",
        details: { name: "a", kind: "configmaps" },
      });
      expect(status.message).toBe(
        `configmaps "a" is forbidden: User "alice" cannot get resource "configmaps" in API group "" in the namespace "${namespace}"`,
      );
      expect(refusal(await configMaps.list()).message).toBe(
        `configmaps is forbidden: User "alice" cannot list resource "configmaps" in API group "" in the namespace "${namespace}"`,
      );
      expect(refusal(await configMaps.watch({})).message).toContain('cannot watch resource "configmaps"');
      expect(refusal(await configMaps.create(configMap("a"))).message).toContain(
        'cannot create resource "configmaps"',
      );
      const everywhere = alice.resource(resources.deployments);
      expect(refusal(await everywhere.list()).message).toBe(
        'deployments.apps is forbidden: User "alice" cannot list resource "deployments" in API group "apps" at the cluster scope',
      );
      const scale = await alice
        .resource(resources.deployments, { namespace })
        .get("web", { subresource: "scale" });
      expect(refusal(scale).message).toBe(
        `deployments.apps "web" is forbidden: User "alice" cannot get resource "deployments/scale" in API group "apps" in the namespace "${namespace}"`,
      );
      expect(refusal(await alice.request({ path: "/metrics" })).message).toBe(
        'forbidden: User "alice" cannot get path "/metrics"',
      );
    },
  },
  {
    name: "rights: reviews of one's own and of others'",
    async run({ admin, alice, namespace }) {
      const resourceAttributes = { verb: "get", resource: "secrets", namespace };
      const ask = async (client: typeof admin, kind: string, spec: object): Promise<boolean> => {
        const path = `/apis/authorization.k8s.io/v1/${kind.toLowerCase()}s`;
        const body = { apiVersion: "authorization.k8s.io/v1", kind, spec };
        return ok(await client.request<Review>({ method: "POST", path, body })).status.allowed;
      };
      expect(await ask(admin, "SelfSubjectAccessReview", { resourceAttributes })).toBe(true);
      expect(await ask(alice, "SelfSubjectAccessReview", { resourceAttributes })).toBe(false);
      expect(await ask(admin, "SubjectAccessReview", { user: "alice", resourceAttributes })).toBe(false);
      expect(
        await ask(admin, "SubjectAccessReview", {
          user: "x",
          groups: ["system:masters"],
          resourceAttributes,
        }),
      ).toBe(true);
    },
  },
  {
    name: "rights: a Role and its binding grant single objects by name, at once",
    async run({ admin, alice, of, namespace }) {
      const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
      const rules = [{ apiGroups: [""], resources: ["configmaps"], resourceNames: ["mine"], verbs: ["get"] }];
      const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "r" };
      const subjects = [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "dev" }];
      const metadata = { name: "r" };
      ok(await admin.request({ method: "POST", path: `${rbac}/roles`, body: { metadata, rules } }));
      ok(
        await admin.request({
          method: "POST",
          path: `${rbac}/rolebindings`,
          body: { metadata, roleRef, subjects },
        }),
      );
      for (const name of ["mine", "other"]) ok(await of(resources.configMaps).create(configMap(name)));
      const asAlice = alice.resource(resources.configMaps, { namespace });
      await eventually("the Role counts", async () => (await asAlice.get("mine")).ok);
      expect(ok(await asAlice.get("mine")).metadata?.name).toBe("mine");
      expect(refusal(await asAlice.get("other")).code).toBe(403);
      expect(refusal(await asAlice.list()).code).toBe(403);
    },
  },
  {
    name: "tokens: a service account's, asked for and reviewed",
    async run({ admin, withToken, of, namespace }) {
      ok(await of(serviceAccounts).create({ metadata: { name: "robot" } }));
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/robot/token`;
      const body = {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { expirationSeconds: 600 },
      };
      const issued = ok(
        await admin.request<{ status: { token: string; expirationTimestamp: string } }>({
          method: "POST",
          path,
          body,
        }),
      );
      const { token, expirationTimestamp } = issued.status;
      expect(Date.parse(expirationTimestamp) - Date.now()).toBeGreaterThan(590_000 - 60_000);
      expect(
        refusal(await withToken(token).resource(resources.secrets, { namespace }).get("s")).message,
      ).toContain(`User "system:serviceaccount:${namespace}:robot" cannot get resource "secrets"`);

      const review = async (given: string) =>
        ok(
          await admin.request<{
            status: { authenticated?: boolean; user?: { username?: string; groups?: string[] } };
          }>({
            method: "POST",
            path: "/apis/authentication.k8s.io/v1/tokenreviews",
            body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token: given } },
          }),
        ).status;
      expect(await review(token)).toMatchObject({
        authenticated: true,
        user: {
          username: `system:serviceaccount:${namespace}:robot`,
          groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
        },
      });
      expect((await review("no-such-token")).authenticated ?? false).toBe(false);
    },
  },
  {
    name: "tokens: one that is not known is 401 Unauthorized",
    async run({ withToken, namespace }) {
      const stranger = withToken("no-such-token").resource(resources.configMaps, { namespace });
      expect(refusal(await stranger.get("a"))).toMatchObject({
        code: 401,
        reason: "Unauthorized",
        message: "Unauthorized",
      });
    },
  },
  {
    name: "tokens: too short a life is 422",
    async run({ admin, of, namespace }) {
      ok(await of(serviceAccounts).create({ metadata: { name: "robot" } }));
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/robot/token`;
      const body = {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { expirationSeconds: 60 },
      };
      const status = refusal(await admin.request({ method: "POST", path, body }));
      expect(status).toMatchObject({ code: 422, reason: "Invalid" });
      expect(status.message).toContain(
        "spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes",
      );
    },
  },
];
