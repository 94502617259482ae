package main

import (
	"context"
	"fmt"
	"slices"

	orchestratorv1 "example.com/lumenmill-client/gen/lumenmill/orchestrator/v1"
	"google.golang.org/grpc"
)

// addressOf returns the address of a ready model that serves a contract, such as
// lumenmill.captioner.v1.CaptionerService.
func addressOf(ctx context.Context, orchestrator grpc.ClientConnInterface, contract string) (string, error) {
	runs := orchestratorv1.NewRunServiceClient(orchestrator)
	response, err := runs.ListModels(ctx, &orchestratorv1.ListModelsRequest{})
	if err != nil {
		return "", err
	}
	for _, model := range response.Models {
		if model.Ready && slices.Contains(model.Model.Contracts, contract) {
			return model.Address, nil
		}
	}
	return "", fmt.Errorf("no ready model serves %s", contract)
}
