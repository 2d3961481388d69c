package runtime

import (
	"fmt"
	"net/netip"
	"sync"
)

// addresses gives each pod an address of a range, the one after the last: an address is used again as late as possible.
type addresses struct {
	mu     sync.Mutex
	prefix netip.Prefix
	last   netip.Addr
	used   map[netip.Addr]bool
}

func newAddresses(prefix netip.Prefix) *addresses {
	return &addresses{prefix: prefix.Masked(), last: prefix.Masked().Addr(), used: map[netip.Addr]bool{}}
}

// take returns an address that is free, an error when there is none.
func (a *addresses) take() (netip.Addr, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for range 1 << (32 - a.prefix.Bits()) {
		a.last = a.last.Next()
		if !a.prefix.Contains(a.last.Next()) { // not the last: IPv4 has it for broadcasts
			a.last = a.prefix.Addr().Next()
		}
		if !a.used[a.last] {
			a.used[a.last] = true
			return a.last, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("every address of %s is in use", a.prefix)
}

func (a *addresses) release(address netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.used, address)
}
