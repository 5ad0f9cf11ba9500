import { expect, test } from "vitest";
import { roleOfFileName, speaksOfTls } from "./tls-file-name.ts";

test.each([
  ["tls.crt", "certificate"],
  ["fullchain.pem", "certificate"],
  ["certs/server.cer", "certificate"],
  ["tls.key", "key"],
  ["server.key", "key"],
  ["privkey.pem", "key"],
  ["key.pem", "key"],
  ["tls-combined.pem", "key"],
  ["ca.crt", "ca"],
  ["ca-certificates.crt", "ca"],
  ["root-ca.pem", "ca"],
  ["ca_bundle.pem", "ca"],
  ["keystore.p12", "keystore"],
  ["truststore.jks", "ca"],
])("%s is a %s", (name, role) => {
  expect(roleOfFileName(name)).toBe(role);
});

test.each([
  "nginx.conf",
  "private.key",
  "app.key",
  "private.pem",
  "github-private-key.pem",
  "jwt.key",
  "dhparam.pem",
  "id_rsa",
  "data.pem",
  "tls.crt.tmpl",
  "crt",
  "",
])("%j says nothing", (name) => {
  expect(roleOfFileName(name)).toBeUndefined();
});

test("what the place says decides for names that many things have", () => {
  expect(roleOfFileName("app.key", "/etc/tls")).toBe("key");
  expect(roleOfFileName("app.pem", "web-cert")).toBe("certificate");
  expect(roleOfFileName("jwt.key", "/etc/tls")).toBeUndefined();
  expect(speaksOfTls("cert-manager-dns-credentials")).toBe(false);
  expect(speaksOfTls("webhook-server-cert")).toBe(true);
  expect(speaksOfTls("titles")).toBe(false);
});
