// Command grpc_go is a grpc-go client that does what it is told, for tests.
//
// It reads one JSON command per line from standard input and ends when that ends. It writes one JSON line per
// finished call, per change of a channel's connectivity state, and per command that says when it is done. The same
// lines are spoken by tests/support/grpcio_client.py, so that one test runs over both clients.
//
//	{"do": "dial", "channel": C, "target": T, "idle_seconds": S}   S = 0: never idle
//	{"do": "call", "channel": C, "id": I, "count": N}             N calls, one after another
//	{"do": "gather", "channel": C, "id": I, "count": N}           N calls at once, answered when all are under way
//	{"do": "start", "channel": C, "rate": R}                      R calls per second until "stop"
//	{"do": "stop", "channel": C, "id": I}
//
//	{"channel": C, "state": "READY"}
//	{"channel": C, "backend": B, "code": 0, "error": ""}          code: a gRPC status code
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
}

func main() {
	out := newOutput(os.Stdout)
	channels := map[string]*channel{}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var order command
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
		known, found := channels[order.Channel]
		if !found {
			log.Fatalf("command %q: no such channel", lines.Text())
		}
		switch order.Do {
		case "call":
			go known.callInTurn(order.ID, order.Count)
		case "start":
			known.start(order.Rate)
		case "stop":
			go known.stop(order.ID)
		case "gather":
			go known.gather(order.ID, order.Count)
		default:
			log.Fatalf("command %q: nothing to do", lines.Text())
		}
	}
}
