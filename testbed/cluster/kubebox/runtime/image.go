package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// image is what an image name stands for: a root file system, "" for this machine's, and its configuration.
type image struct {
	id   string
	root string
	imageConfig
}

// imageConfig is the part "config" of an OCI image configuration (image-spec, config.md), as far as it is obeyed.
type imageConfig struct {
	User       string   // "user", "user:group", by name or number
	Env        []string // "NAME=value"
	Entrypoint []string
	Cmd        []string
	WorkingDir string
}

// pause is what a container without a command runs when its image has none: it waits for its end.
const pause = "pause"

// image returns the image of a name. The configuration of a root file system ROOT is the file ROOT.json, if there is one.
func (r *Runtime) image(name string) (image, error) {
	root := r.options.Images[name]
	if root == "" {
		root = r.options.Images[strings.TrimSuffix(name, ":latest")] // the kubelet adds the tag to a name without one
	}
	if root == "" {
		program, err := os.Executable()
		env := []string{"PATH=" + os.Getenv("PATH")}
		return image{name, "", imageConfig{Env: env, Entrypoint: []string{program, pause}}}, err
	}
	if _, err := os.Stat(root); err != nil {
		return image{}, fmt.Errorf("root file system of the image %s: %w", name, err)
	}
	var document struct{ Config imageConfig }
	text, err := os.ReadFile(root + ".json")
	if err == nil {
		err = json.Unmarshal(text, &document)
	} else if os.IsNotExist(err) {
		err = nil
	}
	if err != nil {
		return image{}, fmt.Errorf("configuration %s.json of the image %s: %w", root, name, err)
	}
	return image{name, root, document.Config}, nil
}

// arguments is the command line of a container (Kubernetes: `command` replaces entry point and default arguments).
func (c *container) arguments() []string {
	switch {
	case len(c.config.Command) > 0:
		return append(append([]string{}, c.config.Command...), c.config.Args...)
	case len(c.config.Args) > 0:
		return append(append([]string{}, c.image.Entrypoint...), c.config.Args...)
	}
	return append(append([]string{}, c.image.Entrypoint...), c.image.Cmd...)
}

func (c *container) directory() string {
	for _, directory := range []string{c.config.WorkingDir, c.image.WorkingDir} {
		if directory != "" {
			return directory
		}
	}
	return "/"
}

// environment is the image's, then the pod's; the last value of a name counts.
func (c *container) environment(home string) []string {
	values := map[string]string{
		"PATH":     "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOSTNAME": c.sandbox.config.Hostname,
		"HOME":     home,
	}
	for _, entry := range c.image.Env {
		name, value, _ := strings.Cut(entry, "=")
		values[name] = value
	}
	for _, entry := range c.config.Envs {
		values[entry.Key] = string(entry.Value)
	}
	var env []string
	for name, value := range values {
		env = append(env, name+"="+value)
	}
	return env
}

// ImageStatus implements the CRI: every name is an image that is present.
func (r *Runtime) ImageStatus(
	_ context.Context, request *runtimeapi.ImageStatusRequest,
) (*runtimeapi.ImageStatusResponse, error) {
	name := request.GetImage().GetImage()
	image, err := r.image(name)
	if err != nil {
		return nil, err
	}
	result := &runtimeapi.Image{Id: name, RepoTags: []string{name}, Size: 1, Spec: request.Image}
	user, _, _ := strings.Cut(image.User, ":")
	if uid, err := strconv.ParseInt(user, 10, 64); err == nil {
		result.Uid = &runtimeapi.Int64Value{Value: uid}
	} else {
		result.Username = user
	}
	return &runtimeapi.ImageStatusResponse{Image: result}, nil
}

// PullImage implements the CRI.
func (r *Runtime) PullImage(
	_ context.Context, request *runtimeapi.PullImageRequest,
) (*runtimeapi.PullImageResponse, error) {
	_, err := r.image(request.GetImage().GetImage())
	return &runtimeapi.PullImageResponse{ImageRef: request.GetImage().GetImage()}, err
}

// ListImages implements the CRI: there is nothing for the kubelet to remove.
func (r *Runtime) ListImages(context.Context, *runtimeapi.ListImagesRequest) (*runtimeapi.ListImagesResponse, error) {
	return &runtimeapi.ListImagesResponse{}, nil
}

// RemoveImage implements the CRI.
func (r *Runtime) RemoveImage(context.Context, *runtimeapi.RemoveImageRequest) (*runtimeapi.RemoveImageResponse, error) {
	return &runtimeapi.RemoveImageResponse{}, nil
}

// ImageFsInfo implements the CRI: nothing is stored.
func (r *Runtime) ImageFsInfo(context.Context, *runtimeapi.ImageFsInfoRequest) (*runtimeapi.ImageFsInfoResponse, error) {
	usage := []*runtimeapi.FilesystemUsage{{
		Timestamp:  time.Now().UnixNano(),
		FsId:       &runtimeapi.FilesystemIdentifier{Mountpoint: r.options.Folder},
		UsedBytes:  &runtimeapi.UInt64Value{},
		InodesUsed: &runtimeapi.UInt64Value{},
	}}
	return &runtimeapi.ImageFsInfoResponse{ImageFilesystems: usage, ContainerFilesystems: usage}, nil
}
