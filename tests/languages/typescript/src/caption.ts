import { setTimeout as sleep } from "node:timers/promises";

import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";

import {
  type CaptionRequestSchema,
  type CaptionResult,
  CaptionerService,
} from "./gen/lumenmill/captioner/v1/captioner_pb.js";

const maxAttempts = 10;
const maxRetryDelayMs = 30_000;
const temporary = [Code.Unavailable, Code.ResourceExhausted];
/** How Connect reports a connection that broke; unlike the errors of a service, it has no details. */
const lostConnection = [Code.Unavailable, Code.Aborted, Code.Canceled, Code.Internal];

type CaptionRequest = MessageInitShape<typeof CaptionRequestSchema>;

/**
 * Returns the caption of a picture. When the connection is lost, it sends the same request again: the request id attaches
 * the call to the running job, or returns its result.
 */
export async function caption(captioner: Transport, request: CaptionRequest): Promise<CaptionResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await captionOnce(captioner, request);
    } catch (reason) {
      const error = ConnectError.from(reason);
      const codes = error.details.length > 0 ? temporary : lostConnection;
      if (!codes.includes(error.code) || attempt === maxAttempts) {
        throw error;
      }
      console.error(`attaching again: ${error.message}`);
      await sleep(Math.min(1000 * 2 ** (attempt - 1), maxRetryDelayMs));
    }
  }
}

async function captionOnce(captioner: Transport, request: CaptionRequest): Promise<CaptionResult> {
  let result: CaptionResult | undefined;
  for await (const { event } of createClient(CaptionerService, captioner).caption(request)) {
    switch (event.case) {
      case "queued":
        console.error(`queued: ${event.value.position} jobs ahead`);
        break;
      case "progress":
        console.error(`${event.value.stage}: ${event.value.step} of ${event.value.total}`);
        break;
      case "result":
        result = event.value;
    }
  }
  if (result === undefined) {
    throw new ConnectError("the stream ended without a result", Code.Internal);
  }
  return result;
}
