// Publishes pairs of files without end, for a test that kills it: `node --import tsx publish-forever.ts DIR FROM`.
import { createFilePublisher } from "../src/publish/file-publisher.ts";

const [directory = "", from = "0"] = process.argv.slice(2);
const words = { directory: "dir", plainFiles: "plain" };
const publisher = createFilePublisher({
  directory,
  how: "directory",
  owner: undefined,
  words,
  groupOf: () => "x509",
});
for (let version = Number(from); ; version++) {
  const files = ["bundle.pem", "key.pem", "svid.pem"].map(
    (name) => [name, { content: `${name.repeat(2_000)} ${version}`, mode: 0o600 }] as const,
  );
  await publisher.publish("x509", new Map(files));
  process.stdout.write(`${version}\n`);
}
