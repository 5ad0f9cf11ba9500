import { expect, it } from "vitest";
import { proxyFromEnvironment } from "./proxy-from-environment.ts";

const PROXY = "http://proxy.test:3128";

it.each([
  ["https://api.test", {}, undefined],
  ["https://api.test", { HTTPS_PROXY: PROXY }, PROXY],
  ["https://api.test", { https_proxy: "proxy.test:3128" }, PROXY],
  ["https://api.test", { HTTP_PROXY: PROXY }, undefined],
  ["http://api.test", { HTTP_PROXY: PROXY }, PROXY],
  ["https://localhost:6443", { HTTPS_PROXY: PROXY }, undefined],
  ["https://127.0.0.1:6443", { HTTPS_PROXY: PROXY }, undefined],
  ["https://[::1]:6443", { HTTPS_PROXY: PROXY }, undefined],
])("without NO_PROXY: %s with %j", (url, env, expected) => {
  expect(proxyFromEnvironment(new URL(url), env)).toBe(expected);
});

it.each([
  ["https://api.test", "*", false],
  ["https://api.test", "other.test, api.test", false],
  ["https://a.api.test", "api.test", false],
  ["https://myapi.test", "api.test", true],
  ["https://a.api.test", ".api.test", false],
  ["https://api.test", ".api.test", true],
  ["https://a.api.test", "*.api.test", false],
  ["https://api.test:6443", "api.test:6443", false],
  ["https://api.test", "api.test:6443", true],
  ["https://10.1.2.3", "10.0.0.0/8", false],
  ["https://11.1.2.3", "10.0.0.0/8", true],
  ["https://10.1.2.3", "10.1.2.3", false],
  ["https://10.1.2.3", "10.0.0.0/99", true],
  ["https://[fd00::1]:6443", "fd00::/8", false],
  ["https://[fd00::1]:6443", "[fd00::1]:6443", false],
  ["https://[fd00::1]:6443", "fd00::1", false],
  ["https://api.test", "", true],
])("%s with NO_PROXY=%s is proxied: %s", (url, NO_PROXY, proxied) => {
  const env = { HTTPS_PROXY: PROXY, NO_PROXY };
  expect(proxyFromEnvironment(new URL(url), env)).toBe(proxied ? PROXY : undefined);
});
