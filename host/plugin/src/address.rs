//! Addresses that are no place for a provider's server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The address that is reached in the end: IPv4 inside IPv6 (mapped, compatible, NAT64, 6to4) leads to the IPv4 one.
pub(crate) fn meant(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address.to_canonical() else { return address.to_canonical() };
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => v4(high, low),
        // `::` and `::1` are of IPv6 alone.
        [0, 0, 0, 0, 0, 0, high, low] if (high, low) != (0, 0) && (high, low) != (0, 1) => v4(high, low),
        _ => IpAddr::V6(v6),
    }
}

/// The special range that an address is in, and what it is. `address` is one that [`meant`] gave.
pub(crate) fn special(address: IpAddr) -> Option<(IpNet, &'static str)> {
    const V4: [([u8; 4], u8, &str); 6] = [
        ([127, 0, 0, 0], 8, "a loopback address"),
        ([169, 254, 0, 0], 16, "a link-local address, where clouds have their metadata service"),
        ([100, 100, 100, 200], 32, "the address of a metadata service"),
        ([0, 0, 0, 0], 8, "an unspecified address"),
        ([224, 0, 0, 0], 4, "a multicast address"),
        ([240, 0, 0, 0], 4, "a broadcast or reserved address"),
    ];
    const V6: [([u16; 8], u8, &str); 6] = [
        ([0, 0, 0, 0, 0, 0, 0, 1], 128, "a loopback address"),
        ([0, 0, 0, 0, 0, 0, 0, 0], 128, "an unspecified address"),
        ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "a link-local address"),
        ([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128, "the address of a metadata service"),
        ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "a multicast address"),
        ([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, "an address of a tunnel"),
    ];
    let v4 = V4.iter().filter_map(|(a, p, what)| Some((IpNet::V4(Ipv4Net::new(Ipv4Addr::from(*a), *p).ok()?), *what)));
    let v6 = V6.iter().filter_map(|(a, p, what)| Some((IpNet::V6(Ipv6Net::new(Ipv6Addr::from(*a), *p).ok()?), *what)));
    v4.chain(v6).find(|(range, _)| range.contains(&address))
}
