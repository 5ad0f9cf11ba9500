/** One HTTP request to the API server. */
export interface KubeRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query. */
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
}

export interface KubeResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Must be read to its end, or left by `return()`, which ends the request. */
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * What carries requests: connections, TLS and credentials, and nothing of the API. Rejects with ERR_KUBE_UNREACHABLE,
 * ERR_KUBE_TLS, ERR_KUBE_EXEC, ERR_KUBE_CLOSED, or the signal's reason; so does the body when it breaks off.
 */
export interface KubeTransport extends AsyncDisposable {
  /** Of the API server, for messages: no credentials. */
  readonly server: string;
  send(request: KubeRequest): Promise<KubeResponse>;
  /**
   * Told of an answer that was a 401: true when the request may be sent once more, since there are other credentials
   * by now. Absent where there is nothing to renew.
   */
  refresh?(refused: KubeResponse): Promise<boolean>;
}
