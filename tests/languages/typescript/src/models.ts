import { createClient, type Transport } from "@connectrpc/connect";

import { RunService } from "./gen/lumenmill/orchestrator/v1/run_pb.js";

/** Returns the address of a ready model that serves a contract, such as lumenmill.captioner.v1.CaptionerService. */
export async function addressOf(orchestrator: Transport, contract: string): Promise<string> {
  const { models } = await createClient(RunService, orchestrator).listModels({});
  const found = models.find((model) => model.ready && model.model?.contracts.includes(contract));
  if (found === undefined) {
    throw new Error(`no ready model serves ${contract}`);
  }
  return found.address;
}
