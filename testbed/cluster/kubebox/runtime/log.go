package runtime

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// lineBytes is the longest part of a line that is one entry of a log.
const lineBytes = 16 << 10

// log is the file of a container's output in the format that the kubelet reads (kubelet-cri-logging.md): one entry a
// line, `TIME stdout|stderr F|P TEXT`, where P is a part of a line that goes on in the next entry.
type log struct {
	path    string
	mu      sync.Mutex
	file    *os.File
	readers sync.WaitGroup
	pipes   []*os.File
}

func openLog(path string) (*log, error) {
	l := &log{path: path}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return l, l.reopen()
}

// reopen is for the kubelet's rotation: it has moved the file away.
func (l *log) reopen() error {
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
	}
	l.file = file
	return nil
}

// attach makes the log the output of a command that is started next.
func (l *log) attach(command *exec.Cmd) error {
	for stream, output := range map[string]*io.Writer{"stdout": &command.Stdout, "stderr": &command.Stderr} {
		read, write, err := os.Pipe()
		if err != nil {
			return err
		}
		*output = write
		l.pipes = append(l.pipes, write)
		l.readers.Go(func() {
			defer read.Close()
			l.copy(stream, read)
		})
	}
	return nil
}

// started closes this process's copies of the output, so that the log ends with the command's.
func (l *log) started() {
	for _, pipe := range l.pipes {
		pipe.Close()
	}
	l.pipes = nil
}

func (l *log) copy(stream string, from io.Reader) {
	reader := bufio.NewReaderSize(from, lineBytes)
	for {
		line, err := reader.ReadSlice('\n')
		if len(line) > 0 {
			tag := "P"
			if line[len(line)-1] == '\n' {
				tag, line = "F", line[:len(line)-1]
			} else if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				tag = "F" // the last line, without an end
			}
			l.mu.Lock()
			fmt.Fprintf(l.file, "%s %s %s %s\n", time.Now().UTC().Format(time.RFC3339Nano), stream, tag, line)
			l.mu.Unlock()
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// wait closes the log when all output is written, or after a time when some process still has it open.
func (l *log) wait(limit time.Duration) {
	done := make(chan struct{})
	go func() { l.readers.Wait(); close(done) }()
	select {
	case <-done:
		l.Close()
	case <-time.After(limit):
	}
}

// Close closes the file.
func (l *log) Close() error {
	l.started()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// ReopenContainerLog implements the CRI.
func (r *Runtime) ReopenContainerLog(
	_ context.Context, request *runtimeapi.ReopenContainerLogRequest,
) (*runtimeapi.ReopenContainerLogResponse, error) {
	c, err := r.container(request.ContainerId)
	if err != nil {
		return nil, err
	}
	if c.process != nil {
		err = c.process.log.reopen()
	}
	return &runtimeapi.ReopenContainerLogResponse{}, err
}
