import type { IncomingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";

type Handler = Dispatcher.DispatchHandler;
type Controller = Dispatcher.DispatchController;

export interface Interception {
  /** What an error becomes; undefined when the request was sent again and the handler shall wait. */
  failed(error: Error, answered: boolean): Error | undefined;
  /** The connection has left HTTP and belongs to the application. */
  upgraded(socket: Duplex): void;
}

/**
 * Stands between undici and the handler of a request and keeps from it an error that a second attempt makes good.
 * Handlers exist in two forms: undici 7 has its own, undici 6 and the `fetch` of Node have the older one.
 */
export function interceptFailure(handler: Handler, interception: Interception): Handler {
  return handler.onRequestStart
    ? new CurrentHandler(handler, interception)
    : new LegacyHandler(handler as LegacyForm, interception);
}

class CurrentHandler implements Handler {
  readonly #inner: Handler;
  readonly #interception: Interception;
  #answered = false;

  constructor(inner: Handler, interception: Interception) {
    this.#inner = inner;
    this.#interception = interception;
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.#inner.onRequestStart?.(controller, context);
  }

  onRequestUpgrade(
    controller: Controller,
    status: number,
    headers: IncomingHttpHeaders,
    socket: Duplex,
  ): void {
    this.#answered = true;
    this.#interception.upgraded(socket);
    this.#inner.onRequestUpgrade?.(controller, status, headers, socket);
  }

  onResponseStart(
    controller: Controller,
    status: number,
    headers: IncomingHttpHeaders,
    message?: string,
  ): void {
    this.#answered = true;
    this.#inner.onResponseStart?.(controller, status, headers, message);
  }

  onResponseStarted(): void {
    this.#answered = true;
    this.#inner.onResponseStarted?.();
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#inner.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: Controller, trailers: IncomingHttpHeaders): void {
    this.#inner.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: Controller, error: Error): void {
    const final = this.#interception.failed(error, this.#answered);
    if (final) this.#inner.onResponseError?.(controller, final);
  }
}

/** The older form, with the members that undici's own types leave out. */
type LegacyForm = Omit<Handler, "onConnect" | "onBodySent"> & {
  onConnect?(abort: (error?: Error) => void, context?: unknown): void;
  onBodySent?(chunkSize: number, totalBytesSent: number): void;
  onRequestSent?(): void;
};

class LegacyHandler {
  readonly #inner: LegacyForm;
  readonly #interception: Interception;
  #answered = false;

  constructor(inner: LegacyForm, interception: Interception) {
    this.#inner = inner;
    this.#interception = interception;
  }

  onConnect(abort: (error?: Error) => void, context?: unknown): void {
    this.#inner.onConnect?.(abort, context);
  }

  onUpgrade(status: number, headers: Buffer[] | string[] | null, socket: Duplex): void {
    this.#answered = true;
    this.#interception.upgraded(socket);
    this.#inner.onUpgrade?.(status, headers, socket);
  }

  onResponseStarted(): void {
    this.#answered = true;
    this.#inner.onResponseStarted?.();
  }

  onHeaders(status: number, headers: Buffer[], resume: () => void, message: string): boolean {
    this.#answered = true;
    return this.#inner.onHeaders?.(status, headers, resume, message) ?? true;
  }

  onData(chunk: Buffer): boolean {
    return this.#inner.onData?.(chunk) ?? true;
  }

  onComplete(trailers: string[] | null): void {
    this.#inner.onComplete?.(trailers);
  }

  onError(error: Error): void {
    const final = this.#interception.failed(error, this.#answered);
    if (final) this.#inner.onError?.(final);
  }

  onBodySent(chunkSize: number, totalBytesSent: number): void {
    this.#inner.onBodySent?.(chunkSize, totalBytesSent);
  }

  onRequestSent(): void {
    this.#inner.onRequestSent?.();
  }
}
