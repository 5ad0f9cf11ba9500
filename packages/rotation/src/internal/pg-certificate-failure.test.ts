import { describe, expect, test } from "vitest";
import { createRotatingIdentity } from "../../test/rotating-identity.ts";
import { RotationError } from "../error.ts";
import { explainConnectFailure, isCertificateFailure } from "./pg-certificate-failure.ts";

const generation = createRotatingIdentity().source.current();
const coded = (code: string, message = "as it came"): Error => Object.assign(new Error(message), { code });

describe("isCertificateFailure", () => {
  test.each([
    coded("CERT_HAS_EXPIRED"),
    coded("UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
    coded("ERR_TLS_CERT_ALTNAME_INVALID"),
    coded("28000", "connection requires a valid client certificate"),
    coded("28000", 'certificate authentication failed for user "app"'),
    new RotationError("ERR_ROTATION_SERVER_REFUSED", "no"),
    new RotationError("ERR_ROTATION_CLIENT_REFUSED", "no"),
  ])("%s is one", (error) => {
    expect(isCertificateFailure(error)).toBe(true);
  });

  test.each([
    coded("ECONNREFUSED"),
    coded("28P01", "password authentication failed"),
    coded("28000", "no pg_hba.conf entry for host"),
    new RotationError("ERR_ROTATION_CLOSED", "no"),
    new Error("timeout expired"),
    undefined,
  ])("%s is none", (error) => {
    expect(isCertificateFailure(error)).toBe(false);
  });
});

describe("explainConnectFailure", () => {
  test("an alert, and an end right after the handshake, name our certificate", () => {
    const alert = explainConnectFailure(
      coded("ERR_SSL_TLSV1_ALERT_UNKNOWN_CA"),
      { verified: true },
      generation,
    );
    const end = explainConnectFailure(
      new Error("Connection terminated unexpectedly"),
      { verified: true },
      generation,
    );
    for (const error of [alert, end]) {
      expect(error).toMatchObject({ code: "ERR_ROTATION_CLIENT_REFUSED" });
      expect(error.message).toContain(generation.leaf.serialNumber);
    }
  });

  test("an end before the handshake was done is no verdict on it", () => {
    const error = new Error("Connection terminated unexpectedly");
    expect(explainConnectFailure(error, { verified: false }, generation)).toBe(error);
  });

  test("what the server says for itself stays as it is", () => {
    const error = coded("28P01", "password authentication failed");
    expect(explainConnectFailure(error, { verified: true }, generation)).toBe(error);
  });
});
