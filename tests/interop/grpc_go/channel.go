package main

import (
	"context"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	_ "google.golang.org/grpc/xds" // the xds:/// scheme
)

const (
	who = "/steerway.test.Backend/Who"

	// deadline of each call: longer than any test should need, shorter than a test's own patience.
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

func dial(name, target string, idleSeconds float64, out *output) (*channel, error) {
	connection, err := grpc.NewClient(target,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
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

func (c *channel) reportStates() {
	for current := connectivity.Idle; ; current = c.connection.GetState() {
		c.out.say(state{c.name, current.String()})
		c.connection.WaitForStateChange(context.Background(), current)
	}
}

func (c *channel) call(request []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	var answer []byte
	err := c.connection.Invoke(ctx, who, &request, &answer)
	failure := status.Convert(err)
	c.out.say(result{c.name, string(answer), uint32(failure.Code()), failure.Message()})
}

func (c *channel) callInTurn(id, count int) {
	for range count {
		c.call(nil)
	}
	c.out.say(done{c.name, id})
}

// start sends calls at a fixed rate, whatever becomes of the earlier ones.
func (c *channel) start(rate float64) {
	c.end = make(chan struct{})
	c.load.Go(func() {
		ticker := time.NewTicker(time.Duration(float64(time.Second) / rate))
		defer ticker.Stop()
		for {
			select {
			case <-c.end:
				return
			case <-ticker.C:
				c.load.Go(func() { c.call(nil) })
			}
		}
	})
}

func (c *channel) stop(id int) {
	close(c.end)
	c.load.Wait()
	c.out.say(done{c.name, id})
}

// gather sends count calls that the backends answer when all of them are under way.
func (c *channel) gather(id, count int) {
	var calls sync.WaitGroup
	for range count {
		calls.Go(func() { c.call([]byte(strconv.Itoa(count))) })
	}
	calls.Wait()
	c.out.say(done{c.name, id})
}
