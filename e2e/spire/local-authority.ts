import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { Client, credentials } from "@grpc/grpc-js";

/**
 * The server's own authorities of one kind: a prepared one is published in the bundle, the active one signs, an old one can be
 * revoked. spire.api.server.localauthority.v1, which 1.10 has behind the flag `forced_rotation`.
 */
export interface LocalAuthority {
  state(): Promise<AuthorityState>;
  prepare(): Promise<string>;
  activate(id: string): Promise<void>;
  /** Taken out of the bundle: what it signed is trusted no longer. */
  revoke(id: string): Promise<void>;
  close(): void;
}

interface AuthorityState {
  readonly active: string | undefined;
  readonly prepared: string | undefined;
  readonly old: string | undefined;
}

export function createLocalAuthority(adminSocket: string, kind: "X509" | "JWT"): LocalAuthority {
  const client = new Client(`unix:${adminSocket}`, credentials.createInsecure());
  const call = (method: string, authorityId?: string): Promise<AuthorityState> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        `/spire.api.server.localauthority.v1.LocalAuthority/${method}`,
        encodeRequest,
        decodeStates,
        authorityId,
        { deadline: Date.now() + 15_000 },
        (error, answer) => (answer === undefined ? reject(error) : resolve(answer)),
      );
    });

  return {
    state: () => call(`Get${kind}AuthorityState`),
    async prepare() {
      const { active: prepared } = await call(`Prepare${kind}Authority`);
      if (prepared === undefined) throw new Error("no authority was prepared");
      return prepared;
    },
    activate: async (id) => void (await call(`Activate${kind}Authority`, id)),
    async revoke(id) {
      // Only a tainted one may be revoked.
      await call(`Taint${kind}Authority`, id);
      await call(`Revoke${kind}Authority`, id);
    },
    close: () => client.close(),
  };
}

/** Every request is a message of at most an authority's id. */
function encodeRequest(authorityId: string | undefined): Buffer {
  if (authorityId === undefined) return Buffer.alloc(0);
  return Buffer.from(new BinaryWriter().tag(1, 2).string(authorityId).finish());
}

/** Every answer is a message of up to three states: field 1 is the active or the only one. */
function decodeStates(bytes: Buffer): AuthorityState {
  const reader = new BinaryReader(bytes);
  const states: (string | undefined)[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === 2) states[field] = decodeAuthorityId(reader.bytes());
    else reader.skip(type);
  }
  return { active: states[1], prepared: states[2], old: states[3] };
}

function decodeAuthorityId(bytes: Uint8Array): string | undefined {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1) return reader.string();
    reader.skip(type);
  }
  return undefined;
}
