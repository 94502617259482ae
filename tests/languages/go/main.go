// A client of a Lumenmill mesh: reads its health, lists its models, captions a picture, cancels a job.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	captionerv1 "example.com/lumenmill-client/gen/lumenmill/captioner/v1"
	commonv1 "example.com/lumenmill-client/gen/lumenmill/common/v1"
	orchestratorv1 "example.com/lumenmill-client/gen/lumenmill/orchestrator/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

const captionerContract = "lumenmill.captioner.v1.CaptionerService"

type client struct {
	orchestrator *grpc.ClientConn
	files        security
}

func main() {
	var files security
	address := flag.String("address", "127.0.0.1:50051", "address of the orchestrator")
	flag.StringVar(&files.caFile, "ca", "", "PEM file of the authority; turns TLS on")
	flag.StringVar(&files.certFile, "cert", "", "PEM file of the client certificate")
	flag.StringVar(&files.keyFile, "key", "", "PEM file of its key")
	flag.StringVar(&files.tokenFile, "token-file", "", "file of the token")
	requestID := flag.String("request-id", "", "identity of the job")
	timeout := flag.Duration("timeout", 10*time.Minute, "time for the whole call")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	if err := run(ctx, *address, files, flag.Arg(0), flag.Arg(1), *requestID); err != nil {
		report(err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address string, files security, command, path, requestID string) error {
	orchestrator, err := connect(address, files)
	if err != nil {
		return err
	}
	defer orchestrator.Close()
	mesh := client{orchestrator, files}
	switch command {
	case "health":
		return mesh.health(ctx)
	case "models":
		return mesh.listModels(ctx)
	case "caption":
		return mesh.caption(ctx, path, requestID)
	case "cancel":
		return mesh.cancel(ctx, requestID)
	default:
		return fmt.Errorf("unknown command %q; the commands are health, models, caption and cancel", command)
	}
}

func (mesh client) health(ctx context.Context) error {
	response, err := healthpb.NewHealthClient(mesh.orchestrator).Check(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		return err
	}
	fmt.Println(response.Status)
	return nil
}

func (mesh client) listModels(ctx context.Context) error {
	runs := orchestratorv1.NewRunServiceClient(mesh.orchestrator)
	response, err := runs.ListModels(ctx, &orchestratorv1.ListModelsRequest{})
	if err != nil {
		return err
	}
	for _, model := range response.Models {
		fmt.Println(model.Name, model.Address, model.Ready, model.Model.GetContracts())
	}
	return nil
}

// captioner returns a connection to the captioner of the mesh.
func (mesh client) captioner(ctx context.Context) (*grpc.ClientConn, error) {
	address, err := addressOf(ctx, mesh.orchestrator, captionerContract)
	if err != nil {
		return nil, err
	}
	return connect(address, mesh.files)
}

func (mesh client) caption(ctx context.Context, path, requestID string) error {
	connection, err := mesh.captioner(ctx)
	if err != nil {
		return err
	}
	defer connection.Close()
	media, err := artifactFrom(ctx, mesh.orchestrator, path)
	if err != nil {
		return err
	}
	result, err := caption(ctx, captionerv1.NewCaptionerServiceClient(connection), &captionerv1.CaptionRequest{
		Job:     &commonv1.JobOptions{RequestId: requestID},
		Subject: &captionerv1.Subject{Media: media},
	})
	if err != nil {
		return err
	}
	fmt.Println(result.Text)
	return nil
}

func (mesh client) cancel(ctx context.Context, requestID string) error {
	connection, err := mesh.captioner(ctx)
	if err != nil {
		return err
	}
	defer connection.Close()
	jobs := commonv1.NewJobServiceClient(connection)
	response, err := jobs.CancelJob(ctx, &commonv1.CancelJobRequest{RequestId: requestID})
	if err != nil {
		return err
	}
	fmt.Println("was active:", response.WasActive)
	return nil
}

// report prints an error with the fields that the service refused.
func report(err error) {
	failure := status.Convert(err)
	fmt.Fprintf(os.Stderr, "%s: %s\n", failure.Code(), failure.Message())
	for _, detail := range failure.Details() {
		if request, ok := detail.(*errdetails.BadRequest); ok {
			for _, violation := range request.FieldViolations {
				fmt.Fprintf(os.Stderr, "field %s: %s\n", violation.Field, violation.Description)
			}
		}
	}
}
