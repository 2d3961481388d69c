package runtime

import (
	"errors"
	goruntime "runtime"
	"sync"
)

// cell is an operating system thread in namespaces of its own. Functions run on it one after the other; processes that
// they start and sockets that they open are inside of the namespaces. A process that a thread starts with Pdeathsig ends
// with that thread.
type cell struct {
	calls chan func()
	ended chan struct{}
	once  sync.Once
}

var errCellClosed = errors.New("the container has ended")

// newCell starts a thread that runs enter, which makes or joins the namespaces.
func newCell(enter func() error) (*cell, error) {
	c := &cell{calls: make(chan func()), ended: make(chan struct{})}
	entered := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with its goroutine, and no other goroutine runs in its namespaces.
		goruntime.LockOSThread()
		err := enter()
		entered <- err
		if err != nil {
			return
		}
		for {
			select {
			case call := <-c.calls:
				call()
			case <-c.ended:
				return
			}
		}
	}()
	if err := <-entered; err != nil {
		return nil, err
	}
	return c, nil
}

// run runs a function on the thread and waits for it.
func (c *cell) run(function func() error) error {
	result := make(chan error, 1)
	select {
	case c.calls <- func() { result <- function() }:
		return <-result
	case <-c.ended:
		return errCellClosed
	}
}

// close ends the thread, and by Pdeathsig the processes that it started. Closing it twice does no harm.
func (c *cell) close() { c.once.Do(func() { close(c.ended) }) }
