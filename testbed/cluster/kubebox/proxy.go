package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/events"
	"k8s.io/kubernetes/pkg/proxy"
	"k8s.io/kubernetes/pkg/proxy/apis"
	proxyconfig "k8s.io/kubernetes/pkg/proxy/apis/config"
	"k8s.io/kubernetes/pkg/proxy/config"
	"k8s.io/kubernetes/pkg/proxy/nftables"
	proxyutil "k8s.io/kubernetes/pkg/proxy/util"
)

const (
	masqueradeBit  = 14 // default of kube-proxy
	retryInterval  = 30 * time.Second
	clientQPS      = 500
	clientBurst    = 1000
	noResync       = 0
	proxyEventName = "kubebox-proxy"
)

// newProxyCommand runs the nftables mode of kube-proxy: the connections of this network namespace to the ClusterIPs and
// node ports of Services get to ready endpoints. It is the proxy of no particular node, as all pods are in the
// namespace: it starts before any node exists, and neither zone hints nor node-local policies choose an endpoint.
func newProxyCommand() *cobra.Command {
	var kubeconfig string
	var pause time.Duration
	c := &cobra.Command{Use: "proxy", SilenceUsage: true, RunE: func(*cobra.Command, []string) error {
		client, err := newClient(kubeconfig)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
		defer stop()
		provider, err := newProxier(ctx, pause)
		if err != nil {
			return err
		}
		follow(ctx, client, provider)
		go provider.SyncLoop()
		<-ctx.Done()
		return nil
	}}
	c.Flags().StringVar(&kubeconfig, "kubeconfig", "", "how to reach the API server")
	c.Flags().DurationVar(&pause, "min-sync-period", 20*time.Millisecond, "shortest time between two changes of the rules")
	return c
}

func newClient(kubeconfig string) (kubernetes.Interface, error) {
	if kubeconfig == "" {
		return nil, errors.New("--kubeconfig is missing: name the file that describes the API server")
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	cfg.QPS, cfg.Burst = clientQPS, clientBurst
	return kubernetes.NewForConfig(cfg)
}

func newProxier(ctx context.Context, pause time.Duration) (proxy.Provider, error) {
	bit := int32(masqueradeBit)
	cfg := &proxyconfig.KubeProxyConfiguration{
		SyncPeriod:    metav1.Duration{Duration: retryInterval},
		MinSyncPeriod: metav1.Duration{Duration: pause},
	}
	cfg.NFTables.MasqueradeBit = &bit
	local := map[corev1.IPFamily]proxyutil.LocalTrafficDetector{
		corev1.IPv4Protocol: proxyutil.NewNoOpLocalDetector(),
		corev1.IPv6Protocol: proxyutil.NewNoOpLocalDetector(),
	}
	addresses := map[corev1.IPFamily]net.IP{
		corev1.IPv4Protocol: net.IPv4(127, 0, 0, 1),
		corev1.IPv6Protocol: net.IPv6loopback,
	}
	return nftables.NewDualStackProxier(ctx, cfg, local, proxyEventName, addresses, &events.FakeRecorder{}, nil, false)
}

// follow lets the proxier know of Services and EndpointSlices, filtered as kube-proxy filters them. It gets no
// ServiceCIDRs: with them it drops the packets to ClusterIPs of no Service, and that of the DNS server is one.
func follow(ctx context.Context, client kubernetes.Interface, provider proxy.Provider) {
	services := informers.NewSharedInformerFactoryWithOptions(client, noResync,
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.LabelSelector = "!" + apis.LabelServiceProxyName
			o.FieldSelector = fields.OneTermNotEqualSelector("spec.clusterIP", corev1.ClusterIPNone).String()
		}))
	slices := informers.NewSharedInformerFactoryWithOptions(client, noResync,
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.LabelSelector = "!" + corev1.IsHeadlessService
		}))
	serviceConfig := config.NewServiceConfig(ctx, services.Core().V1().Services(), noResync)
	serviceConfig.RegisterEventHandler(provider)
	go serviceConfig.Run(ctx.Done())
	sliceConfig := config.NewEndpointSliceConfig(ctx, slices.Discovery().V1().EndpointSlices(), noResync)
	sliceConfig.RegisterEventHandler(provider)
	go sliceConfig.Run(ctx.Done())
	services.Start(ctx.Done())
	slices.Start(ctx.Done())
}
