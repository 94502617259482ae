import { readFile } from "node:fs/promises";
import { basename, extname } from "node:path";

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createClient, type Transport } from "@connectrpc/connect";

import { type Artifact, ArtifactSchema } from "./gen/lumenmill/common/v1/artifact_pb.js";
import { ArtifactService, type UploadArtifactRequestSchema } from "./gen/lumenmill/orchestrator/v1/artifact_service_pb.js";

const maxInlineBytes = 3 << 20;
const chunkBytes = 1 << 20;
const mediaTypes: Record<string, string> = { ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp" };

/** Returns a file as an artifact: within the request where it is small enough, otherwise uploaded. */
export async function artifactFrom(orchestrator: Transport, path: string): Promise<Artifact> {
  const content = await readFile(path);
  const mediaType = mediaTypes[extname(path)] ?? "application/octet-stream";
  if (content.length <= maxInlineBytes) {
    return create(ArtifactSchema, { mediaType, inlineData: content });
  }
  const { artifact } = await createClient(ArtifactService, orchestrator).uploadArtifact(
    partsOf(content, mediaType, basename(path)),
  );
  console.error(`uploaded ${artifact!.sizeBytes} bytes`);
  return artifact!;
}

/** Yields the header, then the bytes in chunks. */
async function* partsOf(
  content: Uint8Array,
  mediaType: string,
  name: string,
): AsyncGenerator<MessageInitShape<typeof UploadArtifactRequestSchema>> {
  yield { part: { case: "header", value: { mediaType, name } } };
  for (let start = 0; start < content.length; start += chunkBytes) {
    yield { part: { case: "chunk", value: content.subarray(start, start + chunkBytes) } };
  }
}
