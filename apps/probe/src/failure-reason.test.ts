import { RotationError } from "@newleaf/rotation";
import { expect, test } from "vitest";
import { failureReason } from "./failure-reason.ts";

const failed = (code: string, message = "") => Object.assign(new Error(message), { code });

test.each([
  [failed("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"), "alert_certificate_required"],
  [failed("ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE"), "alert_bad_certificate"],
  [failed("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION"), "alert_protocol_version"],
  [failed("ECONNRESET", "socket hang up"), "closed"],
  [failed("ECONNRESET", "read ECONNRESET"), "reset"],
  [failed("ECONNREFUSED"), "connection_refused"],
  [failed("ENOTFOUND"), "name_not_found"],
  [failed("CERT_HAS_EXPIRED"), "server_not_trusted"],
  [failed("ERR_TLS_CERT_ALTNAME_INVALID"), "server_name_mismatch"],
  [failed("HPE_INVALID_CONSTANT"), "not_http"],
  [failed("ERR_SSL_WRONG_VERSION_NUMBER"), "tls_failed"],
  [failed("ESOMETHING"), "esomething"],
  [new RotationError("ERR_ROTATION_SERVER_REFUSED", ""), "server_not_trusted"],
  [
    new RotationError("ERR_ROTATION_CLIENT_REFUSED", "", { cause: failed("ECONNRESET") }),
    "client_certificate_refused",
  ],
  [
    new RotationError("ERR_ROTATION_CLIENT_REFUSED", "", {
      cause: failed("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"),
    }),
    "alert_certificate_required",
  ],
  ["text", "failed"],
])("%s is %s", (error, reason) => {
  expect(failureReason(error).reason).toBe(reason);
});
