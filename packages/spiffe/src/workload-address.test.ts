import { expect, test } from "vitest";
import type { SpiffeError } from "./error.ts";
import { workloadApiAddress } from "./workload-address.ts";

test.each([
  ["unix:///run/spire/agent.sock", "unix:/run/spire/agent.sock"],
  ["unix:/run/spire/agent.sock", "unix:/run/spire/agent.sock"],
  ["UNIX:///run/spire%20agent.sock", "unix:/run/spire agent.sock"],
  ["unix:////run/api.sock", "unix:/run/api.sock"],
  ["tcp://127.0.0.1:8000", "127.0.0.1:8000"],
  ["tcp://[::1]:8000", "[::1]:8000"],
])("Workload Endpoint 4: %s is an address", (value, target) => {
  expect(workloadApiAddress(value)).toBe(target);
});

test.each([
  ["unix://run/api.sock", /authority/],
  ["unix:run/api.sock", /not absolute/],
  ["unix:", /not absolute/],
  ["unix:///", /names no socket/],
  ["unix:///a?b", /more than/],
  ["unix:///a#b", /more than/],
  ["unix:///a%00b", /zero octet/],
  ["unix:///a%zz", /well-formed/],
  [`unix:///${"a".repeat(107)}`, /longer/],
  ["tcp://localhost:8000", /not an IP address/],
  ["tcp://127.0.0.1", /and a port/],
  ["tcp:127.0.0.1:8000", /and a port/],
  ["tcp://127.0.0.1:8000/", /and a port only/],
  ["tcp://127.0.0.1:8000/foo", /and a port only/],
  ["tcp://127.0.0.1:8000?a", /and a port only/],
  ["tcp://me@127.0.0.1:8000", /and a port only/],
  ["tcp://127.0.0.1:0", /out of range/],
  ["tcp://127.0.0.1:65536", /out of range/],
  ["tcp://[127.0.0.1]:8000", /not an IP address/],
  ["tcp://::1:8000", /and a port/],
  ["/run/spire/agent.sock", /not of the form/],
  ["http://127.0.0.1:8000", /not of the form/],
  ["", /no address/],
])("Workload Endpoint 4: %j is refused", (value, message) => {
  const refused = (): string => workloadApiAddress(value);
  expect(refused).toThrow(message);
  expect(refused).toThrow(
    expect.objectContaining({ code: "ERR_SPIFFE_ADDRESS" } satisfies Partial<SpiffeError>),
  );
});

test("Workload Endpoint 4: an explicit address comes before the environment's", () => {
  expect(workloadApiAddress("unix:///explicit", "unix:///environment")).toBe("unix:/explicit");
  expect(workloadApiAddress(undefined, "unix:///environment")).toBe("unix:/environment");
  expect(() => workloadApiAddress("nonsense", "unix:///environment")).toThrow(/not of the form/);
  expect(() => workloadApiAddress(undefined, undefined)).toThrow(/SPIFFE_ENDPOINT_SOCKET/);
});
