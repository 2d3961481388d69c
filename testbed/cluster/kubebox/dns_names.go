package main

import (
	"net/netip"
	"strings"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"
)

const (
	srvPriority = 0
	srvWeights  = 100 // shared by the targets of one answer, as CoreDNS does
)

// names has the records of all Services, which are made when they are asked for.
type names struct {
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
	synced   []cache.InformerSynced
	domain   string // with the dot at the end
	ttl      uint32
}

// endpoint is one ready address of a Service, with the ports of its slice.
type endpoint struct {
	host    string // first label of its name
	address netip.Addr
	ports   []discoveryv1.EndpointPort
}

func newNames(factory informers.SharedInformerFactory, domain string, ttl uint32) *names {
	services, slices := factory.Core().V1().Services(), factory.Discovery().V1().EndpointSlices()
	return &names{services: services.Lister(), slices: slices.Lister(), domain: domain, ttl: ttl,
		synced: []cache.InformerSynced{services.Informer().HasSynced, slices.Informer().HasSynced}}
}

// lookUp gives the records of a name in lower case and whether the name exists: one without records does. Names are
// SERVICE.NAMESPACE.svc, ENDPOINT.SERVICE.NAMESPACE.svc and _PORT._PROTOCOL.SERVICE.NAMESPACE.svc of the domain.
func (n *names) lookUp(name string) ([]dns.RR, bool) {
	if name == n.domain {
		return []dns.RR{n.authority()}, true
	}
	inside, ok := strings.CutSuffix(name, ".svc."+n.domain)
	parts := strings.Split(inside, ".")
	if !ok || len(parts) < 2 || len(parts) > 4 {
		return nil, false
	}
	last := len(parts) - 2
	service, err := n.services.Services(parts[last+1]).Get(parts[last])
	if err != nil {
		return nil, false
	}
	switch last {
	case 0:
		return n.service(name, service)
	case 1:
		return n.host(name, service, parts[0])
	default:
		return n.port(service, parts[0], parts[1])
	}
}

func (n *names) service(name string, service *corev1.Service) ([]dns.RR, bool) {
	switch {
	case service.Spec.Type == corev1.ServiceTypeExternalName:
		target := dns.Fqdn(service.Spec.ExternalName)
		return []dns.RR{&dns.CNAME{Hdr: n.header(name, dns.TypeCNAME), Target: target}}, true
	case service.Spec.ClusterIP == corev1.ClusterIPNone:
		return n.addresses(name, n.endpoints(service))
	}
	var records []dns.RR
	for _, text := range service.Spec.ClusterIPs {
		if address, err := netip.ParseAddr(text); err == nil {
			records = append(records, n.address(name, address))
		}
	}
	return records, true
}

// host gives the addresses of the endpoint of this name; of two in a dual-stack Service.
func (n *names) host(name string, service *corev1.Service, host string) ([]dns.RR, bool) {
	var named []endpoint
	for _, e := range n.endpoints(service) {
		if e.host == host {
			named = append(named, e)
		}
	}
	return n.addresses(name, named)
}

// port gives the SRV records of a named port: of the Service, or of each endpoint of a headless one.
func (n *names) port(service *corev1.Service, port, protocol string) ([]dns.RR, bool) {
	port, named := strings.CutPrefix(port, "_")
	protocol, known := strings.CutPrefix(protocol, "_")
	if !named || !known {
		return nil, false
	}
	full := service.Name + "." + service.Namespace + ".svc." + n.domain
	var records []dns.RR
	add := func(target string, number int32) {
		records = append(records, &dns.SRV{Hdr: n.header(full, dns.TypeSRV), Priority: srvPriority,
			Port: uint16(number), Target: target})
	}
	if service.Spec.ClusterIP != corev1.ClusterIPNone {
		for _, p := range service.Spec.Ports {
			if p.Name == port && strings.EqualFold(string(p.Protocol), protocol) {
				add(full, p.Port)
			}
		}
	} else {
		n.endpointPorts(service, port, protocol, func(host string, number int32) { add(host+"."+full, number) })
	}
	for _, record := range records {
		record.(*dns.SRV).Weight = uint16(max(1, srvWeights/len(records)))
	}
	return records, len(records) > 0
}

func (n *names) endpointPorts(service *corev1.Service, port, protocol string, add func(string, int32)) {
	seen := map[string]bool{} // an endpoint of both families has one name
	for _, e := range n.endpoints(service) {
		for _, p := range e.ports {
			if p.Name == nil || *p.Name != port || p.Port == nil || seen[e.host] {
				continue
			}
			if p.Protocol != nil && strings.EqualFold(string(*p.Protocol), protocol) {
				seen[e.host] = true
				add(e.host, *p.Port)
			}
		}
	}
}

// endpoints gives the ready ones; the controller publishes all as ready where publishNotReadyAddresses is set.
func (n *names) endpoints(service *corev1.Service) []endpoint {
	selector := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service.Name})
	slices, err := n.slices.EndpointSlices(service.Namespace).List(selector)
	if err != nil {
		return nil
	}
	var endpoints []endpoint
	for _, slice := range slices {
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready != nil && !*e.Conditions.Ready {
				continue
			}
			// Consumers use the first address only (EndpointSlice, field addresses).
			address, err := netip.ParseAddr(e.Addresses[0])
			if err != nil {
				continue // of addressType FQDN
			}
			host := strings.NewReplacer(".", "-", ":", "-").Replace(e.Addresses[0])
			if e.Hostname != nil && *e.Hostname != "" {
				host = *e.Hostname
			}
			endpoints = append(endpoints, endpoint{host, address, slice.Ports})
		}
	}
	return endpoints
}

// addresses gives a record for each address; without one the name does not exist.
func (n *names) addresses(name string, endpoints []endpoint) ([]dns.RR, bool) {
	var records []dns.RR
	seen := map[netip.Addr]bool{} // slices may overlap for a moment
	for _, e := range endpoints {
		if !seen[e.address] {
			seen[e.address] = true
			records = append(records, n.address(name, e.address))
		}
	}
	return records, len(records) > 0
}

func (n *names) address(name string, address netip.Addr) dns.RR {
	if address.Is4() {
		return &dns.A{Hdr: n.header(name, dns.TypeA), A: address.AsSlice()}
	}
	return &dns.AAAA{Hdr: n.header(name, dns.TypeAAAA), AAAA: address.AsSlice()}
}
