import type { Socket } from "node:net";

/** Length 8 and the code 80877103: SSLRequest, in "Message Formats" of the PostgreSQL protocol. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/**
 * Asks a PostgreSQL server to speak TLS. Resolves when it agreed; the next octet on the socket is then ours to
 * send. Exactly one octet is read, since anything after it before the handshake is an injection (CVE-2021-23222).
 */
export function requestPostgresTls(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      socket.off("readable", onReadable).off("end", onEnd).off("error", settle);
      if (error) reject(error);
      else resolve();
    };
    const onReadable = (): void => {
      const answer: Buffer | null = socket.read(1);
      if (answer === null) return;
      settle(refusal(answer[0]) ?? injection(socket.readableLength));
    };
    const onEnd = (): void => settle(new Error("connection closed instead of an answer to the SSLRequest"));
    socket.on("readable", onReadable).on("end", onEnd).on("error", settle);
    socket.write(SSL_REQUEST);
  });
}

function refusal(answer: number | undefined): Error | undefined {
  if (answer === 0x53) return undefined;
  if (answer === 0x4e)
    return new Error('the server does not speak TLS (answered "N" to the SSLRequest: ssl is off)');
  if (answer === 0x45) return new Error("the server answered the SSLRequest with an error");
  return new Error("the server does not speak the PostgreSQL protocol");
}

function injection(waiting: number): Error | undefined {
  return waiting > 0 ? new Error("unencrypted data after the answer to the SSLRequest") : undefined;
}
