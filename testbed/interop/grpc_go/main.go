// Command grpc_go is a grpc-go client that runs commands, for tests.
//
// It reads one JSON command per line from standard input and ends when that ends. It writes one JSON line per
// finished call, per change of a channel's connectivity state, and per command when it is done. The same
// lines are spoken by testbed/client/grpcio_client.py, so that one test runs over both clients.
//
//	{"do": "dial", "channel": C, "target": T, "idle_seconds": S}   S = 0: never idle
//	{"do": "call", "channel": C, "id": I, "count": N}             N calls, one after another
//	{"do": "gather", "channel": C, "id": I, "count": N}           N calls at once, answered when all are under way
//	{"do": "start", "channel": C, "rate": R}                      R calls per second until "stop"
//	{"do": "stop", "channel": C, "id": I}
//
// Calls go to /steerway.test.Backend/Name without metadata and end after 20 s, unless "call", "gather" or "start" has
// "method": "/SERVICE/METHOD", "metadata": {NAME: VALUE}, "deadline_seconds": S.
//
//	{"channel": C, "state": "READY"}
//	{"channel": C, "backend": B, "code": 0, "error": "", "metadata": {}}   code: a gRPC status code; metadata: what
//	                                                               came with the answer
//	{"channel": C, "done": I}                                     the last call of the command has been reported
//
// The bootstrap file is read by grpc-go itself, from GRPC_XDS_BOOTSTRAP.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
)

type command struct {
	Do          string  `json:"do"`
	Channel     string  `json:"channel"`
	ID          int     `json:"id"`
	Target      string  `json:"target"`
	IdleSeconds float64 `json:"idle_seconds"`
	Count       int     `json:"count"`
	Rate        float64 `json:"rate"`
	request
}

func main() {
	out := newOutput(os.Stdout)
	channels := map[string]*channel{}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		order := command{request: request{Method: method, DeadlineSeconds: deadline.Seconds()}}
		if err := json.Unmarshal(lines.Bytes(), &order); err != nil {
			log.Fatalf("command %q: %v", lines.Text(), err)
		}
		if order.Do == "dial" {
			dialed, err := dial(order.Channel, order.Target, order.IdleSeconds, out)
			if err != nil {
				log.Fatalf("dial %s: %v", order.Target, err)
			}
			channels[order.Channel] = dialed
			continue
		}
		known, ok := channels[order.Channel]
		if !ok {
			log.Fatalf("command %q: no such channel", lines.Text())
		}
		switch order.Do {
		case "call":
			go known.callInTurn(order.ID, order.Count, order.request)
		case "start":
			known.start(order.Rate, order.request)
		case "stop":
			go known.stop(order.ID)
		case "gather":
			go known.gather(order.ID, order.Count, order.request)
		default:
			log.Fatalf("command %q: nothing to do", lines.Text())
		}
	}
}
