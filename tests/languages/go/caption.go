package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	captionerv1 "example.com/lumenmill-client/gen/lumenmill/captioner/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	maxAttempts   = 10
	maxRetryDelay = 30 * time.Second
)

// caption returns the caption of a picture. When the connection is lost, it sends the same request again: the request id
// attaches the call to the running job, or returns its result.
func caption(
	ctx context.Context, captioner captionerv1.CaptionerServiceClient, request *captionerv1.CaptionRequest,
) (*captionerv1.CaptionResult, error) {
	for attempt := 1; ; attempt++ {
		result, err := captionOnce(ctx, captioner, request)
		delay, temporary := retryDelay(err, attempt)
		if err == nil || !temporary || attempt == maxAttempts {
			return result, err
		}
		fmt.Fprintf(os.Stderr, "attaching again: %v\n", err)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(delay):
		}
	}
}

func captionOnce(
	ctx context.Context, captioner captionerv1.CaptionerServiceClient, request *captionerv1.CaptionRequest,
) (*captionerv1.CaptionResult, error) {
	stream, err := captioner.Caption(ctx, request)
	if err != nil {
		return nil, err
	}
	var result *captionerv1.CaptionResult
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) && result != nil {
			return result, nil
		}
		if err != nil {
			return nil, err
		}
		switch event := response.Event.(type) {
		case *captionerv1.CaptionResponse_Queued:
			fmt.Fprintf(os.Stderr, "queued: %d jobs ahead\n", event.Queued.Position)
		case *captionerv1.CaptionResponse_Progress:
			fmt.Fprintf(os.Stderr, "%s: %d of %d\n", event.Progress.Stage, event.Progress.Step, event.Progress.Total)
		case *captionerv1.CaptionResponse_Result:
			result = event.Result
		}
	}
}

// retryDelay returns how long to wait before the same request is sent again, and whether that makes sense.
func retryDelay(err error, attempt int) (time.Duration, bool) {
	failure := status.Convert(err)
	for _, detail := range failure.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.RetryDelay.AsDuration(), true
		}
	}
	return min(time.Second<<(attempt-1), maxRetryDelay), failure.Code() == codes.Unavailable
}
