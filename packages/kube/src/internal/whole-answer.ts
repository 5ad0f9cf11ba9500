import { KubeError } from "../error.ts";
import type { KubeResponse } from "../transport.ts";

/** An answer with its body, which is decoded when asked for. */
export class WholeAnswer {
  readonly status: number;
  readonly headers: KubeResponse["headers"];
  readonly what: string;
  readonly octets: Buffer;

  constructor(answer: {
    readonly status: number;
    readonly headers: KubeResponse["headers"];
    readonly octets: Buffer;
    readonly what: string;
  }) {
    this.status = answer.status;
    this.headers = answer.headers;
    this.what = answer.what;
    this.octets = answer.octets;
  }

  get isJson(): boolean {
    return this.headers["content-type"]?.startsWith("application/json") ?? false;
  }

  get isProtobuf(): boolean {
    return isProtobuf(this);
  }

  text(): string {
    return this.octets.toString();
  }

  /** The object, or ERR_KUBE_PROTOCOL for what is none. */
  json(): object {
    try {
      const value: unknown = JSON.parse(this.octets.toString());
      if (typeof value === "object" && value !== null) return value;
    } catch {
      // The parser's own message quotes the body, which may be a Secret.
    }
    const type = this.headers["content-type"] ?? "no content type";
    throw new KubeError(
      "ERR_KUBE_PROTOCOL",
      `${this.what}: the answer is no JSON object (${this.status}, ${type})`,
    );
  }
}

export function isProtobuf({ headers }: { readonly headers: KubeResponse["headers"] }): boolean {
  return headers["content-type"]?.startsWith("application/vnd.kubernetes.protobuf") ?? false;
}
