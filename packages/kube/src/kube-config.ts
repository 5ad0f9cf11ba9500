/** Where an API server is, how it proves who it is, and who we are to it. From a kubeconfig, the Pod, or by hand. */
export interface KubeConfig {
  /** `https://host:port/path`, without credentials; `http:` for `kubectl proxy`. */
  readonly server: string;
  /** Where objects are looked for when nothing else is said. */
  readonly namespace: string;
  /** The kubeconfig and context, or the Pod, for messages. */
  readonly origin: string;
  readonly tls: KubeTls;
  readonly user: KubeUser;
  /** http, https or socks5. May hold a password. */
  readonly proxyUrl?: string | undefined;
}

/** Text, or a file that is read again when it has changed. */
export type Pem = { readonly pem: string } | { readonly file: string };

export interface KubeTls {
  /** With it nobody else is trusted; without it the system's roots are, as kubectl does. */
  readonly ca?: Pem | undefined;
  readonly cert?: Pem | undefined;
  readonly key?: Pem | undefined;
  /** The name in the server's certificate, where it is not the host of `server`. */
  readonly serverName?: string | undefined;
  /** Whoever answers is believed. */
  readonly insecureSkipVerify?: boolean | undefined;
}

/** Who we are, beside the client certificate. A token file goes before a token, both before a plugin. */
export interface KubeUser {
  readonly token?: string | undefined;
  /** Read again every minute, and upon a 401. */
  readonly tokenFile?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly exec?: ExecPlugin | undefined;
  readonly impersonate?: Impersonation | undefined;
}

/** A program that prints a credential: client.authentication.k8s.io. */
export interface ExecPlugin {
  readonly apiVersion: "client.authentication.k8s.io/v1" | "client.authentication.k8s.io/v1beta1";
  /** A path, or a name that is looked for in the environment's PATH. Never given to a shell. */
  readonly command: string;
  readonly args: readonly string[];
  /** On top of the environment handed in. */
  readonly env: Readonly<Record<string, string>>;
  readonly installHint?: string | undefined;
  readonly interactiveMode: "Never" | "IfAvailable" | "Always";
  /** What the plugin is told of the cluster when it asks for it. */
  readonly cluster?: object | undefined;
}

export interface Impersonation {
  readonly userName?: string | undefined;
  readonly uid?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}
