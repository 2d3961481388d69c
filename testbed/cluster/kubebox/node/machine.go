package node

import (
	"context"

	cadvisor "github.com/google/cadvisor/lib/model"
	"k8s.io/klog/v2"
	cadvisortest "k8s.io/kubernetes/pkg/kubelet/cadvisor/testing"
)

const (
	cores       = 64
	memoryBytes = 256 << 30
	diskBytes   = 1 << 40
)

// machine is what the kubelet reads of the machine: a size that no test fills.
type machine struct{ cadvisortest.Fake }

// MachineInfo implements cadvisor.Interface.
func (machine) MachineInfo(klog.Logger) (*cadvisor.MachineInfo, error) {
	return &cadvisor.MachineInfo{NumCores: cores, MemoryCapacity: memoryBytes}, nil
}

// ImagesFsInfo implements cadvisor.Interface.
func (machine) ImagesFsInfo(context.Context) (cadvisor.FsInfo, error) { return disk(), nil }

// RootFsInfo implements cadvisor.Interface.
func (machine) RootFsInfo() (cadvisor.FsInfo, error) { return disk(), nil }

// ContainerFsInfo implements cadvisor.Interface.
func (machine) ContainerFsInfo(context.Context) (cadvisor.FsInfo, error) { return disk(), nil }

// GetDirFsInfo implements cadvisor.Interface.
func (machine) GetDirFsInfo(string) (cadvisor.FsInfo, error) { return disk(), nil }

func disk() cadvisor.FsInfo { return cadvisor.FsInfo{Capacity: diskBytes, Available: diskBytes} }
