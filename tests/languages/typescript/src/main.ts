// A client of a Lumenmill mesh: lists its models, captions a picture, cancels a job.
import { parseArgs } from "node:util";

import { ConnectError, createClient, type Transport } from "@connectrpc/connect";

import { caption } from "./caption.js";
import { connect, type Security } from "./connection.js";
import { CaptionerService } from "./gen/lumenmill/captioner/v1/captioner_pb.js";
import { JobService } from "./gen/lumenmill/common/v1/job_pb.js";
import { RunService } from "./gen/lumenmill/orchestrator/v1/run_pb.js";
import { artifactFrom } from "./media.js";
import { addressOf } from "./models.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    address: { type: "string", default: "127.0.0.1:50051" },
    ca: { type: "string" },
    cert: { type: "string" },
    key: { type: "string" },
    "token-file": { type: "string" },
    "request-id": { type: "string", default: "" },
  },
});
const files: Security = {
  caFile: values.ca,
  certFile: values.cert,
  keyFile: values.key,
  tokenFile: values["token-file"],
};
const [command, path] = positionals;
const requestId = values["request-id"];

try {
  await run(connect(values.address, files));
  process.exit(0);
} catch (reason) {
  console.error(ConnectError.from(reason).message);
  process.exit(1);
}

async function run(orchestrator: Transport): Promise<void> {
  if (command === "models") {
    const { models } = await createClient(RunService, orchestrator).listModels({});
    for (const { name, address, ready, model } of models) {
      console.log(name, address, ready, model?.contracts.join(" "));
    }
  } else if (command === "caption" && path !== undefined) {
    const media = await artifactFrom(orchestrator, path);
    const result = await caption(await captioner(orchestrator), { job: { requestId }, subject: { media } });
    console.log(result.text);
  } else if (command === "cancel") {
    const { wasActive } = await createClient(JobService, await captioner(orchestrator)).cancelJob({ requestId });
    console.log("was active:", wasActive);
  } else {
    throw new Error("the commands are models, caption PHOTO and cancel");
  }
}

/** Returns a connection to the captioner of the mesh. */
async function captioner(orchestrator: Transport): Promise<Transport> {
  return connect(await addressOf(orchestrator, CaptionerService.typeName), files);
}
