package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/cri-streaming/pkg/streaming"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// execute runs a command in a running container and returns its exit code. It is killed when the context ends.
func (r *Runtime) execute(
	ctx context.Context, id string, arguments []string, stdin io.Reader, stdout, stderr io.Writer,
) (int, error) {
	c, err := r.container(id)
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	p, running := c.process, c.state == runtimeapi.ContainerState_CONTAINER_RUNNING
	r.mu.Unlock()
	if !running {
		return 0, status.Errorf(codes.FailedPrecondition, "container %s does not run", c.config.GetMetadata().GetName())
	}
	command, err := p.spawn(arguments, func(command *exec.Cmd) error {
		command.Stdin, command.Stdout, command.Stderr = stdin, stdout, stderr
		command.WaitDelay = outputGrace // a client that never ends its input is no reason to wait
		return nil
	})
	if err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() { unix.Kill(-command.Process.Pid, unix.SIGKILL) })
	defer stop()
	if err := command.Wait(); command.ProcessState == nil {
		return 0, err
	}
	return exitCode(command.ProcessState), nil
}

// ExecSync implements the CRI; probes and lifecycle hooks use it.
func (r *Runtime) ExecSync(
	ctx context.Context, request *runtimeapi.ExecSyncRequest,
) (*runtimeapi.ExecSyncResponse, error) {
	if request.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(request.Timeout)*time.Second)
		defer cancel()
	}
	var stdout, stderr bytes.Buffer
	code, err := r.execute(ctx, request.ContainerId, request.Cmd, nil, &stdout, &stderr)
	if ctx.Err() != nil {
		return nil, status.Errorf(codes.DeadlineExceeded, "command %q timed out", request.Cmd)
	}
	if err != nil {
		return nil, err
	}
	return &runtimeapi.ExecSyncResponse{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), ExitCode: int32(code)}, nil
}

// Exec implements the CRI: it returns the address at which the kubelet runs the command.
func (r *Runtime) Exec(_ context.Context, request *runtimeapi.ExecRequest) (*runtimeapi.ExecResponse, error) {
	return r.streams.GetExec(request)
}

// PortForward implements the CRI.
func (r *Runtime) PortForward(
	_ context.Context, request *runtimeapi.PortForwardRequest,
) (*runtimeapi.PortForwardResponse, error) {
	return r.streams.GetPortForward(request)
}

// serveStreams starts the server of Exec and PortForward on a free port of loopback, for the kubelet alone.
func (r *Runtime) serveStreams() error {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	config := streaming.DefaultConfig
	config.Addr = free.Addr().String()
	if err := free.Close(); err != nil {
		return err
	}
	if r.streams, err = streaming.NewServer(config, streamed{r}); err != nil {
		return err
	}
	go r.streams.Start(true)
	return nil
}

// streamed is what a runtime does behind the streaming server.
type streamed struct{ runtime *Runtime }

// Exec runs a command with the streams of a client.
func (s streamed) Exec(
	ctx context.Context, id string, arguments []string, stdin io.Reader, stdout, stderr io.WriteCloser, tty bool,
	_ <-chan remotecommand.TerminalSize,
) error {
	if tty { // the client sends one output stream only
		stderr = stdout
	}
	code, err := s.runtime.execute(ctx, id, arguments, stdin, writer(stdout), writer(stderr))
	if err != nil {
		return err
	}
	if code != 0 {
		return utilexec.CodeExitError{Err: fmt.Errorf("command terminated with exit code %d", code), Code: code}
	}
	return nil
}

// writer keeps a nil stream from being an io.Writer that is not nil.
func writer(stream io.WriteCloser) io.Writer {
	if stream == nil {
		return nil
	}
	return stream
}

// Attach is not implemented.
func (s streamed) Attach(
	context.Context, string, io.Reader, io.WriteCloser, io.WriteCloser, bool, <-chan remotecommand.TerminalSize,
) error {
	return errors.New("this runtime cannot attach to a container; use logs or exec")
}

// PortForward connects a stream to a port of the pod's loopback interface.
func (s streamed) PortForward(_ context.Context, id string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	s.runtime.mu.Lock()
	sandbox := s.runtime.sandboxes[id]
	s.runtime.mu.Unlock()
	if sandbox == nil || sandbox.network == nil {
		return notFound("network of the pod sandbox", id)
	}
	var connection net.Conn
	err := sandbox.network.run(func() (err error) {
		address := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port)))
		connection, err = net.DialTCP("tcp", nil, address)
		return err
	})
	if err != nil {
		return fmt.Errorf("port %s of the pod: %w", strconv.Itoa(int(port)), err)
	}
	defer connection.Close()
	go func() {
		io.Copy(connection, stream)
		connection.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(stream, connection)
	return err
}
