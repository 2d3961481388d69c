// Command grpc_go is a grpc-go client, and a server, that runs commands, for tests.
//
// It reads one JSON command per line from standard input and ends when that ends. It writes one JSON line per
// finished call, per change of a channel's connectivity state, and per command when it is done. The same
// lines are spoken by testbed/client/grpcio_client.py and testbed/backend/xds_server_program.py, so that one test runs
// over both libraries.
//
//	{"do": "dial", "channel": C, "target": T, "idle_seconds": S, "xds_credentials": false}
//	                                                               S = 0: never idle; true: TLS where the Cluster has it
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
// An xDS server uses the credentials of its Listener, plaintext where that has none. It answers every method with its
// name, with the SPIFFE ID of the client in the metadata "peer", and with the hexadecimal serial number of its certificate
// in "serial"; the method Block waits until "release".
//
//	{"do": "serve", "server": S, "address": A}
//	{"do": "release", "server": S}                                answers the calls of Block that wait
//	{"do": "close", "server": S}                                  calls in flight may finish
//
//	{"server": S, "serving": true, "error": ""}                   its serving status has changed
//	{"server": S, "blocked": N}                                   N calls of Block wait
//	{"server": S, "closed": true}
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
	Do             string  `json:"do"`
	Channel        string  `json:"channel"`
	Server         string  `json:"server"`
	Address        string  `json:"address"`
	ID             int     `json:"id"`
	Target         string  `json:"target"`
	IdleSeconds    float64 `json:"idle_seconds"`
	XDSCredentials bool    `json:"xds_credentials"`
	Count          int     `json:"count"`
	Rate           float64 `json:"rate"`
	request
}

func main() {
	out := newOutput(os.Stdout)
	channels := map[string]*channel{}
	servers := map[string]*server{}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		order := command{request: request{Method: method, DeadlineSeconds: deadline.Seconds()}}
		if err := json.Unmarshal(lines.Bytes(), &order); err != nil {
			log.Fatalf("command %q: %v", lines.Text(), err)
		}
		if order.Server != "" {
			runServer(order, servers, out)
			continue
		}
		if order.Do == "dial" {
			dialed, err := dial(order.Channel, order.Target, order.IdleSeconds, order.XDSCredentials, out)
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

// runServer runs a command of a server.
func runServer(order command, servers map[string]*server, out *output) {
	if order.Do == "serve" {
		served, err := serve(order.Server, order.Address, out)
		if err != nil {
			log.Fatalf("serve %s: %v", order.Address, err)
		}
		servers[order.Server] = served
		return
	}
	known, ok := servers[order.Server]
	if !ok {
		log.Fatalf("%s %s: no such server", order.Do, order.Server)
	}
	switch order.Do {
	case "release":
		known.release()
	case "close":
		go known.close()
	default:
		log.Fatalf("%s %s: nothing to do", order.Do, order.Server)
	}
}
