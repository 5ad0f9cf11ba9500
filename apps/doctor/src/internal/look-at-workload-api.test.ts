import { silentLogger } from "@newleaf/daemon";
import { createSpiffeAuthority, startWorkloadApi } from "@newleaf/testing";
import { expect, test } from "vitest";
import { lookAtWorkloadApi } from "./look-at-workload-api.ts";

const options = { timeoutMs: 3_000, signal: new AbortController().signal, logger: silentLogger };

test("the identities that it has, that it has none, that it cannot be reached", async () => {
  const authority = createSpiffeAuthority({ trustDomain: "shop.example" });
  await using api = await startWorkloadApi({ authority });
  const { svids, failure } = await lookAtWorkloadApi(api.address, options);
  expect([svids.map(({ id }) => id), failure]).toEqual([["spiffe://shop.example/workload"], undefined]);

  api.deny();
  expect(await lookAtWorkloadApi(api.address, options)).toMatchObject({
    svids: [],
    failure: { kind: "denied" },
  });

  await api.stop();
  expect(await lookAtWorkloadApi(api.address, options)).toMatchObject({ failure: { kind: "unreachable" } });
});

test("no answer in time is unreachable; an address that is none is a mistake of the caller", async () => {
  const authority = createSpiffeAuthority({ trustDomain: "shop.example" });
  await using api = await startWorkloadApi({ authority });
  api.stall();
  expect(await lookAtWorkloadApi(api.address, { ...options, timeoutMs: 200 })).toMatchObject({
    failure: { kind: "unreachable" },
  });
  await expect(lookAtWorkloadApi("agent.sock", options)).rejects.toMatchObject({
    code: "ERR_SPIFFE_ADDRESS",
  });
});
