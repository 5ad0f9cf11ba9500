import { expect, test } from "vitest";
import { parsePostgresConf, parsePostmasterOpts, tlsSettings } from "./postgres-settings.ts";

test("postgresql.conf: quotes, comments, with and without an equals sign; the last counts", () => {
  const conf = [
    "# ssl_cert_file = 'commented'",
    "ssl_cert_file = 'server.crt'\t# why",
    "SSL_KEY_FILE '/keys/it''s mine.key'",
    "ssl_ca_file=root.crt # plain",
    "ssl_cert_file = '/certs/tls.crt'",
    "listen_addresses = ''",
  ].join("\n");
  expect(Object.fromEntries(parsePostgresConf(conf))).toEqual({
    ssl_cert_file: "/certs/tls.crt",
    ssl_key_file: "/keys/it's mine.key",
    ssl_ca_file: "root.crt",
    listen_addresses: "",
  });
});

test("postmaster.opts: the ways of naming a setting", () => {
  const text = `/usr/bin/postgres "-D" "/data" "-c" "ssl_cert_file=/a b.crt" "-cssl_key_file=/k" "--ssl-ca-file=/ca"\n`;
  expect(Object.fromEntries(parsePostmasterOpts(text))).toEqual({
    ssl_cert_file: "/a b.crt",
    ssl_key_file: "/k",
    ssl_ca_file: "/ca",
  });
});

test("the first source counts, and PostgreSQL's own defaults come last", () => {
  const [high, low] = [new Map([["ssl_cert_file", "/high"]]), new Map([["ssl_cert_file", "/low"]])];
  expect(tlsSettings([high, low])).toEqual({
    ssl_cert_file: "/high",
    ssl_key_file: "server.key",
    ssl_ca_file: "",
  });
});
