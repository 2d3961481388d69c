package runtime

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// outputGrace is how long a container whose process has ended is kept, while what that process started still has its
// output open.
const outputGrace = time.Second

// process is the running part of a container: its namespaces and its first process.
type process struct {
	*cell
	command   *exec.Cmd
	log       *log
	directory string
	identity  identity
	env       []string
}

// start runs a container's process in the container's namespaces. folder is the runtime's, for mount points.
func start(c *container, folder string) (*process, error) {
	p := &process{directory: c.directory()}
	root := filepath.Join(folder, "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, err
	}
	var err error
	if p.log, err = openLog(c.logPath()); err != nil {
		return nil, err
	}
	p.cell, err = newCell(func() error { return p.enter(c, root) })
	if err != nil {
		p.log.Close()
		return nil, err
	}
	p.command, err = p.spawn(c.arguments(), func(command *exec.Cmd) error { return p.log.attach(command) })
	if err != nil {
		p.close()
		p.log.Close()
		return nil, err
	}
	p.log.started()
	return p, nil
}

// enter prepares the calling thread, which is the one that starts all processes of the container.
func (p *process) enter(c *container, root string) error {
	if c.sandbox.network != nil {
		if err := c.sandbox.network.enter(); err != nil {
			return err
		}
	}
	if err := enterRoot(c, root); err != nil {
		return err
	}
	if name := c.sandbox.config.Hostname; name != "" && !c.sandbox.onNode() {
		if err := unix.Sethostname([]byte(name)); err != nil {
			return fmt.Errorf("set the host name: %w", err)
		}
	}
	var err error
	if p.identity, err = identify(c.config.GetLinux().GetSecurityContext(), c.image); err != nil {
		return err
	}
	p.env = c.environment(p.identity.home)
	return p.identity.restrict()
}

// spawn starts a command in the container. attach connects its input and output; it runs before the start.
func (p *process) spawn(arguments []string, attach func(*exec.Cmd) error) (*exec.Cmd, error) {
	command := &exec.Cmd{
		Args: arguments,
		Env:  p.env,
		Dir:  p.directory,
		SysProcAttr: &syscall.SysProcAttr{
			Setsid: true, Pdeathsig: syscall.SIGKILL, Credential: p.identity.credential(),
		},
	}
	return command, p.run(func() error {
		var err error
		if command.Path, err = lookPath(arguments[0], p.env, p.directory); err != nil {
			return err
		}
		if err := attach(command); err != nil {
			return err
		}
		return command.Start()
	})
}

// wait returns the exit code, 128 + signal of a process that a signal ended, when everything of the container has ended.
func (p *process) wait() int {
	p.command.Wait()
	p.signal(unix.SIGKILL) // what else is in its process group
	p.close()
	p.log.wait(outputGrace)
	return exitCode(p.command.ProcessState)
}

// signal sends a signal to the process group of the first process.
func (p *process) signal(signal unix.Signal) { unix.Kill(-p.command.Process.Pid, signal) }

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// lookPath finds a program as the calling thread sees files: in the PATH of env unless its name has a slash.
func lookPath(name string, env []string, directory string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(directory, name)
		}
		return name, nil
	}
	for _, folder := range filepath.SplitList(variable(env, "PATH")) {
		path := filepath.Join(folder, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("exec: %q: executable file not found in $PATH", name)
}

func variable(env []string, name string) string {
	for _, entry := range env {
		if value, match := strings.CutPrefix(entry, name+"="); match {
			return value
		}
	}
	return ""
}
