package main

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	xdscredentials "google.golang.org/grpc/credentials/xds"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	_ "google.golang.org/grpc/xds" // the xds:/// scheme
)

const (
	method = "/steerway.test.Backend/Name"

	// deadline of a call that has no other: longer than any test should need, shorter than a test's own patience.
	deadline = 20 * time.Second
)

// bytesCodec passes messages through as they are: no generated code is needed.
type bytesCodec struct{}

func (bytesCodec) Marshal(message any) ([]byte, error) { return *message.(*[]byte), nil }

func (bytesCodec) Unmarshal(data []byte, message any) error {
	*message.(*[]byte) = append([]byte(nil), data...)
	return nil
}

func (bytesCodec) Name() string { return "bytes" }

// channel is one client connection and its load.
type channel struct {
	name       string
	connection *grpc.ClientConn
	out        *output
	load       sync.WaitGroup
	end        chan struct{}
}

func dial(name, target string, idleSeconds float64, xdsCredentials bool, out *output) (*channel, error) {
	transport, err := clientCredentials(xdsCredentials)
	if err != nil {
		return nil, err
	}
	connection, err := grpc.NewClient(target,
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{})),
		grpc.WithIdleTimeout(time.Duration(idleSeconds*float64(time.Second))),
		grpc.WithNoProxy(),
	)
	if err != nil {
		return nil, err
	}
	c := &channel{name: name, connection: connection, out: out}
	go c.reportStates()
	return c, nil
}

// clientCredentials are those of the Cluster, plaintext where it has none, or plaintext in any case.
func clientCredentials(xds bool) (credentials.TransportCredentials, error) {
	if !xds {
		return insecure.NewCredentials(), nil
	}
	return xdscredentials.NewClientCredentials(xdscredentials.ClientOptions{FallbackCreds: insecure.NewCredentials()})
}

func (c *channel) reportStates() {
	for current := connectivity.Idle; ; current = c.connection.GetState() {
		c.out.write(state{c.name, current.String()})
		c.connection.WaitForStateChange(context.Background(), current)
	}
}

// request is what a call is: its method, its metadata, and how long it is waited for.
type request struct {
	Method          string            `json:"method"`
	Metadata        map[string]string `json:"metadata"`
	DeadlineSeconds float64           `json:"deadline_seconds"`
}

func (c *channel) call(what request, message []byte) {
	seconds := time.Duration(what.DeadlineSeconds * float64(time.Second))
	ctx, cancel := context.WithTimeout(context.Background(), seconds)
	defer cancel()
	ctx = metadata.NewOutgoingContext(ctx, metadata.New(what.Metadata))
	var answer []byte
	var header, trailer metadata.MD
	err := c.connection.Invoke(ctx, what.Method, &message, &answer, grpc.Header(&header), grpc.Trailer(&trailer))
	failure := status.Convert(err)
	c.out.write(result{
		c.name, string(answer), uint32(failure.Code()), failure.Message(), joined(metadata.Join(header, trailer)),
	})
}

// joined has metadata that is text, several values of a name with commas.
func joined(received metadata.MD) map[string]string {
	text := map[string]string{}
	for name, values := range received {
		if !strings.HasSuffix(name, "-bin") {
			text[name] = strings.Join(values, ", ")
		}
	}
	return text
}

func (c *channel) callInTurn(id, count int, what request) {
	for range count {
		c.call(what, nil)
	}
	c.out.write(done{c.name, id})
}

// start sends calls at a fixed rate, whatever becomes of the earlier ones.
func (c *channel) start(rate float64, what request) {
	c.end = make(chan struct{})
	c.load.Go(func() {
		ticker := time.NewTicker(time.Duration(float64(time.Second) / rate))
		defer ticker.Stop()
		for {
			select {
			case <-c.end:
				return
			case <-ticker.C:
				c.load.Go(func() { c.call(what, nil) })
			}
		}
	})
}

func (c *channel) stop(id int) {
	close(c.end)
	c.load.Wait()
	c.out.write(done{c.name, id})
}

// gather sends count calls that the backends answer when all of them are under way.
func (c *channel) gather(id, count int, what request) {
	var calls sync.WaitGroup
	for range count {
		calls.Go(func() { c.call(what, []byte(strconv.Itoa(count))) })
	}
	calls.Wait()
	c.out.write(done{c.name, id})
}
