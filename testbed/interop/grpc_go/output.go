package main

import (
	"encoding/json"
	"io"
	"log"
	"sync"
)

// result is one finished call.
type result struct {
	Channel  string            `json:"channel"`
	Backend  string            `json:"backend"`
	Code     uint32            `json:"code"`
	Error    string            `json:"error"`
	Metadata map[string]string `json:"metadata"`
}

// state is the connectivity state that a channel has changed to.
type state struct {
	Channel string `json:"channel"`
	State   string `json:"state"`
}

// done reports that the last call of a command has been reported.
type done struct {
	Channel string `json:"channel"`
	Done    int    `json:"done"`
}

// serving is the status that a server has changed to, with the reason where it does not serve.
type serving struct {
	Server  string `json:"server"`
	Serving bool   `json:"serving"`
	Error   string `json:"error"`
}

// blocked is the number of calls that a server lets wait.
type blocked struct {
	Server  string `json:"server"`
	Blocked int    `json:"blocked"`
}

// closed reports that no call is left in a server.
type closed struct {
	Server string `json:"server"`
	Closed bool   `json:"closed"`
}

// output writes whole lines from many goroutines.
type output struct {
	mutex   sync.Mutex
	encoder *json.Encoder
}

func newOutput(writer io.Writer) *output {
	return &output{encoder: json.NewEncoder(writer)}
}

func (o *output) write(line any) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if err := o.encoder.Encode(line); err != nil {
		log.Fatalf("the reader is gone: %v", err)
	}
}
