// Publishes pairs of files without end, for a test that kills it: `node --import tsx publish-forever.ts DIR FROM`.
import { createPublisher } from "../src/write/publisher.ts";

const [directory = "", from = "0"] = process.argv.slice(2);
const publisher = createPublisher({ directory, how: "directory", owner: undefined, groupOf: () => "x509" });
for (let version = Number(from); ; version++) {
  const files = ["bundle.pem", "key.pem", "svid.pem"].map(
    (name) => [name, { content: `${name.repeat(2_000)} ${version}`, mode: 0o600 }] as const,
  );
  await publisher.publish("x509", new Map(files));
  process.stdout.write(`${version}\n`);
}
