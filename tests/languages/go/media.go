package main

import (
	"context"
	"fmt"
	"mime"
	"os"
	"path/filepath"

	commonv1 "example.com/lumenmill-client/gen/lumenmill/common/v1"
	orchestratorv1 "example.com/lumenmill-client/gen/lumenmill/orchestrator/v1"
	"google.golang.org/grpc"
)

const (
	maxInlineBytes = 3 << 20
	chunkBytes     = 1 << 20
)

// artifactFrom returns a file as an artifact: within the request where it is small enough, otherwise uploaded.
func artifactFrom(ctx context.Context, orchestrator grpc.ClientConnInterface, path string) (*commonv1.Artifact, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	mediaType := mime.TypeByExtension(filepath.Ext(path))
	if len(content) <= maxInlineBytes {
		return &commonv1.Artifact{MediaType: mediaType, InlineData: content}, nil
	}
	header := &orchestratorv1.UploadHeader{MediaType: mediaType, Name: filepath.Base(path)}
	return upload(ctx, orchestratorv1.NewArtifactServiceClient(orchestrator), header, content)
}

// upload stores a file and returns its artifact, which later requests refer to.
func upload(
	ctx context.Context, store orchestratorv1.ArtifactServiceClient, header *orchestratorv1.UploadHeader, content []byte,
) (*commonv1.Artifact, error) {
	stream, err := store.UploadArtifact(ctx)
	if err != nil {
		return nil, err
	}
	part := &orchestratorv1.UploadArtifactRequest{Part: &orchestratorv1.UploadArtifactRequest_Header{Header: header}}
	for start := 0; part != nil; start += chunkBytes {
		if err := stream.Send(part); err != nil {
			break // CloseAndRecv returns the reason
		}
		part = nil
		if start < len(content) {
			chunk := content[start:min(start+chunkBytes, len(content))]
			part = &orchestratorv1.UploadArtifactRequest{Part: &orchestratorv1.UploadArtifactRequest_Chunk{Chunk: chunk}}
		}
	}
	response, err := stream.CloseAndRecv()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "uploaded %d bytes\n", response.Artifact.SizeBytes)
	return response.Artifact, nil
}
