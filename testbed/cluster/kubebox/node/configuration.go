package node

import (
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/cmd/kubelet/app/options"
	"k8s.io/kubernetes/pkg/kubelet/apis/config"
)

// configuration is a kubelet's as it is by default, with shorter periods and without what manages the machine.
func (f *flags) configuration(socket string) (*options.KubeletServer, error) {
	c, err := options.NewKubeletConfiguration()
	if err != nil {
		return nil, err
	}
	c.Logging.Verbosity = 2 // what happens to each pod
	c.FeatureGates = map[string]bool{
		"EventedPLEG":                true, // the end of a container is noticed at once, not within a second
		"KubeletCrashLoopBackOffMax": true,
		"KubeletInUserNamespace":     true, // no access to the kernel's log and settings is no error
	}
	c.CrashLoopBackOff.MaxContainerRestartPeriod = seconds(1)
	c.SyncFrequency = *seconds(2) // changed ConfigMaps and Secrets reach volumes this soon
	c.Address, c.Port, c.HealthzPort = f.address, f.port, 0
	c.TLSCertFile, c.TLSPrivateKeyFile = f.certificate, f.key
	c.Authentication.X509.ClientCAFile = f.clientCA
	c.ContainerRuntimeEndpoint = "unix://" + socket
	c.MaxPods = 250
	c.SerializeImagePulls = false
	c.PodLogsDir = filepath.Join(f.folder, "logs")
	c.VolumePluginDir = filepath.Join(f.folder, "plugins")
	c.ResolverConfig = "/etc/resolv.conf"
	if f.clusterDNS != "" {
		c.ClusterDNS, c.ClusterDomain = []string{f.clusterDNS}, "cluster.local"
	}
	withoutMachine(c)
	k := options.NewKubeletFlags()
	k.RootDirectory = f.folder
	k.CertDirectory = filepath.Join(f.folder, "pki")
	k.KubeConfig = f.kubeconfig
	k.HostnameOverride, k.NodeIP, k.NodeLabels = f.name, f.address, f.labels
	return &options.KubeletServer{KubeletFlags: *k, KubeletConfiguration: *c}, nil
}

// withoutMachine disables what depends on the machine that the tests run on.
func withoutMachine(c *config.KubeletConfiguration) {
	c.CgroupsPerQOS, c.EnforceNodeAllocatable = false, []string{"none"}
	c.FailCgroupV1, c.FailSwapOn = false, false
	c.ProtectKernelDefaults, c.MakeIPTablesUtilChains = false, false
	c.LocalStorageCapacityIsolation = false
	c.EvictionHard, c.EvictionSoft = nil, nil
	c.ImageGCHighThresholdPercent, c.ImageGCLowThresholdPercent = 100, 99
	c.EnableSystemLogHandler = false
}

func seconds(count int) *metav1.Duration {
	return &metav1.Duration{Duration: time.Duration(count) * time.Second}
}
