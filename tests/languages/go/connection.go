package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

const maxMessageBytes = 32 << 20

// security has the files that the mesh requires. Empty names mean: no TLS, no client certificate, no token.
type security struct {
	caFile, certFile, keyFile, tokenFile string
}

// connect returns a connection to the orchestrator or to a model, at an address as ListModels returns it.
func connect(address string, files security) (*grpc.ClientConn, error) {
	transport, err := files.transport()
	if err != nil {
		return nil, err
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(maxMessageBytes),
			grpc.MaxCallSendMsgSize(maxMessageBytes),
		),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time:                60 * time.Second,
			Timeout:             20 * time.Second,
			PermitWithoutStream: true,
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 2, Jitter: 0.2, MaxDelay: 5 * time.Second},
		}),
	}
	if files.tokenFile != "" {
		options = append(options, grpc.WithPerRPCCredentials(token{files.tokenFile, files.caFile != ""}))
	}
	return grpc.NewClient(address, options...)
}

// transport returns the credentials of TLS, with a client certificate where one is set.
func (files security) transport() (credentials.TransportCredentials, error) {
	if files.caFile == "" {
		return insecure.NewCredentials(), nil
	}
	authority, err := os.ReadFile(files.caFile)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s has no certificate in PEM", files.caFile)
	}
	if files.certFile != "" {
		certificate, err := tls.LoadX509KeyPair(files.certFile, files.keyFile)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return credentials.NewTLS(config), nil
}

// token sends the token in the metadata of every call. It is read at each call, since it may be rotated.
type token struct {
	file       string
	requireTLS bool
}

func (t token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	text, err := os.ReadFile(t.file)
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + strings.TrimSpace(string(text))}, nil
}

func (t token) RequireTransportSecurity() bool {
	return t.requireTLS
}
