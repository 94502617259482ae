import { readFileSync } from "node:fs";

import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

const maxMessageBytes = 32 << 20;

/** Files that the mesh requires. Absent ones mean: no TLS, no client certificate, no token. */
export interface Security {
  caFile?: string;
  certFile?: string;
  keyFile?: string;
  tokenFile?: string;
}

/** Returns a connection to the orchestrator or to a model, at an address as ListModels returns it. */
export function connect(address: string, files: Security): Transport {
  const scheme = files.caFile === undefined ? "http" : "https";
  return createGrpcTransport({
    baseUrl: `${scheme}://${address.replace(/^dns:\/\/\//, "")}`,
    nodeOptions: {
      ca: contentOf(files.caFile),
      cert: contentOf(files.certFile),
      key: contentOf(files.keyFile),
    },
    interceptors: files.tokenFile === undefined ? [] : [sendToken(files.tokenFile)],
    readMaxBytes: maxMessageBytes,
    writeMaxBytes: maxMessageBytes,
    pingIntervalMs: 60_000,
    pingTimeoutMs: 20_000,
    pingIdleConnection: true,
  });
}

/** Sends the token in the metadata of every call. It is read at each call, since it may be rotated. */
function sendToken(file: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${readFileSync(file, "utf8").trim()}`);
    return next(request);
  };
}

function contentOf(file?: string): Buffer | undefined {
  return file === undefined ? undefined : readFileSync(file);
}
