package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/miekg/dns"
	"github.com/spf13/cobra"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// newDNSCommand serves the names of Services and of their endpoints, by UDP and TCP, as Kubernetes specifies:
// https://github.com/kubernetes/dns/blob/master/docs/specification.md. Names elsewhere do not exist, as this server
// has none to ask. It does not answer before it knows all Services.
func newDNSCommand() *cobra.Command {
	var kubeconfig, address, domain string
	var ttl uint32
	c := &cobra.Command{Use: "dns", SilenceUsage: true, RunE: func(*cobra.Command, []string) error {
		client, err := newClient(kubeconfig)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
		defer stop()
		factory := informers.NewSharedInformerFactory(client, noResync)
		names := newNames(factory, dns.Fqdn(domain), ttl)
		factory.Start(ctx.Done())
		if !cache.WaitForCacheSync(ctx.Done(), names.synced...) {
			return errors.New("ended before the Services were known")
		}
		return serveDNS(ctx, address, names)
	}}
	c.Flags().StringVar(&kubeconfig, "kubeconfig", "", "how to reach the API server")
	c.Flags().StringVar(&address, "address", "10.96.0.10:53", "where to serve, by UDP and by TCP")
	c.Flags().StringVar(&domain, "domain", "cluster.local", "domain of the cluster")
	c.Flags().Uint32Var(&ttl, "ttl", 5, "seconds for which an answer may be cached, those without records included")
	return c
}

func serveDNS(ctx context.Context, address string, handler dns.Handler) error {
	packets, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	for _, server := range []*dns.Server{
		{PacketConn: packets, Handler: handler},
		{Listener: listener, Handler: handler},
	} {
		go func() { failed <- server.ActivateAndServe() }()
	}
	fmt.Printf("serving DNS on %s\n", address)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// ServeDNS answers one request; an answer by UDP that is too long is truncated (RFC 2181 section 9).
func (n *names) ServeDNS(w dns.ResponseWriter, request *dns.Msg) {
	answer := new(dns.Msg)
	answer.SetReply(request)
	if len(request.Question) != 1 || request.Opcode != dns.OpcodeQuery {
		answer.Rcode = dns.RcodeNotImplemented
	} else {
		n.answer(answer, request.Question[0])
	}
	size := dns.MaxMsgSize
	if w.RemoteAddr().Network() == "udp" {
		size = dns.MinMsgSize
	}
	if options := request.IsEdns0(); options != nil {
		size = max(size, int(options.UDPSize()))
		answer.SetEdns0(options.UDPSize(), false)
	}
	answer.Truncate(size)
	if err := w.WriteMsg(answer); err != nil {
		fmt.Printf("answer to %s: %v\n", w.RemoteAddr(), err)
	}
}

func (n *names) answer(answer *dns.Msg, question dns.Question) {
	// Labels are compared without case (RFC 4343); the answer repeats those of the question.
	records, ok := n.lookUp(strings.ToLower(question.Name))
	answer.Authoritative = true
	if !ok {
		answer.Rcode = dns.RcodeNameError
	}
	for _, record := range records {
		kind := record.Header().Rrtype
		if kind != question.Qtype && kind != dns.TypeCNAME && question.Qtype != dns.TypeANY {
			continue
		}
		record.Header().Name = question.Name
		answer.Answer = append(answer.Answer, record)
		if srv, ok := record.(*dns.SRV); ok {
			more, _ := n.lookUp(srv.Target)
			answer.Extra = append(answer.Extra, more...)
		}
	}
	if len(answer.Answer) == 0 {
		answer.Ns = []dns.RR{n.authority()}
	}
}

// authority limits how long an answer without records may be cached (RFC 2308 section 5).
func (n *names) authority() dns.RR {
	return &dns.SOA{Hdr: n.header(n.domain, dns.TypeSOA), Ns: "ns.dns." + n.domain, Mbox: "hostmaster." + n.domain,
		Serial: 1, Refresh: 7200, Retry: 1800, Expire: 86400, Minttl: n.ttl}
}

func (n *names) header(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: n.ttl}
}
