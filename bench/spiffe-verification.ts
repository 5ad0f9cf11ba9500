import { createSpiffeAuthority } from "@newleaf/testing";
import type { Table } from "./bench.ts";
import type { SpiffeLibrary } from "./peers/spiffe-library.ts";
import { median, medianRatio } from "./quantile.ts";
import type { VerifyMaterial, VerifyTally, VerifyTurn } from "./servers/spiffe-verify.ts";

const rounds = 7;
const svidsOfEach = 8;
const trustDomain = "example.org";
const audience = "spiffe://example.org/backend";

/** What is measured, and by which way of either program. */
const cases = [
  ...["leaf under the root", "leaf and intermediate"].flatMap((chain) => [
    { what: `${chain}: verify`, ours: `verify, ${chain}`, theirs: `verify, ${chain}` },
    {
      what: `${chain}: parse and verify`,
      ours: `parse and verify, ${chain}`,
      theirs: `parse and verify, ${chain}`,
    },
    { what: `${chain}: guard, new peer`, ours: `peer, ${chain}`, theirs: `peer, ${chain}` },
    { what: `${chain}: guard, known peer`, ours: `peer known, ${chain}`, theirs: `peer, ${chain}` },
  ]),
  { what: "JWT-SVID, ES256", ours: "JWT", theirs: "JWT" },
];

/** How many SVIDs each library verifies in a second, on the same chains and tokens, by turns. */
export async function compareVerification(
  libraries: readonly SpiffeLibrary[],
  { roundMs, log }: { readonly roundMs: number; readonly log: (line: string) => void },
): Promise<readonly Table[]> {
  const material = await createMaterial();
  for (const { conversation } of libraries) {
    conversation.say(material);
    await conversation.next();
  }
  const tallies = new Map<string, VerifyTally[]>();
  const of = (library: SpiffeLibrary, way: string): VerifyTally[] =>
    tallies.get(`${library.title} ${way}`) ?? [];
  for (let round = 0; round <= rounds; round += 1) {
    log(`spiffe: verification, round ${round} of ${rounds}`);
    for (const { ours, theirs } of cases) {
      for (const library of libraries) {
        const way = isOurs(library) ? ours : theirs;
        library.conversation.say({ way, ms: roundMs } satisfies VerifyTurn);
        const tally = (await library.conversation.next()) as VerifyTally;
        // The first is to warm up.
        if (round > 0) tallies.set(`${library.title} ${way}`, [...of(library, way), tally]);
      }
    }
  }
  return [
    tableOf("verified a second", libraries, of, ({ count, wallMs }) => (count * 1_000) / wallMs),
    tableOf("verified in a second of CPU", libraries, of, ({ count, cpuMs }) => (count * 1_000) / cpuMs),
  ];
}

function tableOf(
  title: string,
  libraries: readonly SpiffeLibrary[],
  of: (library: SpiffeLibrary, way: string) => readonly VerifyTally[],
  rate: (tally: VerifyTally) => number,
): Table {
  const other = libraries.find((library) => !isOurs(library));
  const rows = cases.map(({ what, ours, theirs }) => {
    const ratesOf = (library: SpiffeLibrary): readonly number[] =>
      of(library, isOurs(library) ? ours : theirs).map(rate);
    const rates = libraries.map((library) => [library.title, median(ratesOf(library))]);
    const ratios = libraries.flatMap((library) =>
      other === undefined || library === other
        ? []
        : [[`ratio, ${library.title}`, medianRatio(ratesOf(library), ratesOf(other))]],
    );
    return { what, ...Object.fromEntries([...rates, ...ratios]) };
  });
  return { title, rows };
}

function isOurs({ title }: SpiffeLibrary): boolean {
  return title.startsWith("Newleaf");
}

async function createMaterial(): Promise<VerifyMaterial> {
  const chainsOf = (intermediate: boolean): VerifyMaterial["chains"][string] => {
    const authority = createSpiffeAuthority({ trustDomain, intermediate });
    const issued = Array.from({ length: svidsOfEach }, (_, index) =>
      authority.issueX509Svid({ path: `/ns/shop/sa/backend-${index}` }),
    );
    return {
      bundle: base64(authority.x509Bundle()),
      key: base64(issued[0]!.key),
      svids: issued.map(({ identity: { certificate, intermediates } }) =>
        [certificate, ...intermediates].map(({ der }) => base64(der)),
      ),
    };
  };
  const signer = createSpiffeAuthority({ trustDomain });
  const tokens = Array.from({ length: svidsOfEach }, (_, index) =>
    signer.issueJwtSvid({ audience, path: `/ns/shop/sa/frontend-${index}`, ttlMs: 3_600_000 }),
  );
  return {
    trustDomain,
    chains: { "leaf under the root": chainsOf(false), "leaf and intermediate": chainsOf(true) },
    jwt: {
      bundle: JSON.parse(Buffer.from(signer.jwtBundle()).toString()) as object,
      audience,
      tokens: await Promise.all(tokens),
    },
  };
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets).toString("base64");
}
