package apitoken

import (
	"fmt"
	"net/netip"
	"slices"
)

// maxNetwork is the longest text of a network: an IPv6 prefix, with the dotted
// form of its last four bytes.
const maxNetwork = 49

// ParseNetworks reads networks in CIDR notation (RFC 4632, section 3.1; RFC
// 4291, section 2.3), such as "10.0.0.0/8" or "2001:db8::/32"; an address alone
// is a network of one. One that is listed twice counts once. Refused are host
// bits, zones, IPv4 written as IPv6, and more than [MaxNetworks]. The error wraps
// [ErrInvalid] and says which one by its number.
func ParseNetworks(texts ...string) ([]netip.Prefix, error) {
	if len(texts) > MaxNetworks {
		return nil, errNetworks()
	}
	var networks []netip.Prefix
	for i, text := range texts {
		network, ok := parseNetwork(text)
		if !ok {
			return nil, fmt.Errorf("%w: network number %d is not in CIDR notation", ErrInvalid, i+1)
		}
		if why := checkNetwork(network); why != "" {
			return nil, fmt.Errorf("%w: network number %d %s", ErrInvalid, i+1, why)
		}
		if !slices.Contains(networks, network) {
			networks = append(networks, network)
		}
	}
	return networks, nil
}

func parseNetwork(text string) (netip.Prefix, bool) {
	if len(text) > maxNetwork {
		return netip.Prefix{}, false
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), addr.Zone() == ""
	}
	network, err := netip.ParsePrefix(text)
	return network, err == nil
}

// checkNetworks is what [Token.Check] asks of its networks.
func checkNetworks(networks []netip.Prefix) error {
	if len(networks) > MaxNetworks {
		return errNetworks()
	}
	for i, network := range networks {
		if why := checkNetwork(network); why != "" {
			return fmt.Errorf("%w: network number %d %s", ErrInvalid, i+1, why)
		}
	}
	return nil
}

// checkNetwork is what is wrong with one network, as the end of a sentence.
func checkNetwork(network netip.Prefix) (why string) {
	switch {
	case !network.IsValid():
		return "is not in CIDR notation"
	case network.Addr().Is4In6():
		return "is IPv4 written as IPv6: write it as IPv4"
	case network != network.Masked():
		return "has bits set beyond its length"
	}
	return ""
}

func errNetworks() error {
	return fmt.Errorf("%w: at most %d networks are allowed", ErrInvalid, MaxNetworks)
}
