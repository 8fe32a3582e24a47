//! Which addresses an endpoint's name may resolve to.

use std::net::{IpAddr, Ipv6Addr};

/// Checks resolved addresses, so that a name can't lead where no provider's server is: metadata services of clouds and
/// other link-local addresses, multicast, broadcast, unspecified.
///
/// Loopback and private addresses are fine: the user's spec names the server, and that is where test servers are.
#[derive(Debug, Clone, Copy, Default)]
pub struct AddressPolicy;

impl AddressPolicy {
    /// Why an address is not allowed, if it isn't.
    pub fn refuses(self, address: IpAddr) -> Option<&'static str> {
        const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];
        const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
        // `::ffff:a.b.c.d` and NAT64 lead to an IPv4 address: that is the one to judge.
        let address = match address.to_canonical() {
            IpAddr::V6(v6) => match v6.segments() {
                [prefix @ .., high, low] if prefix == NAT64 => {
                    let [h1, h2] = high.to_be_bytes();
                    let [l1, l2] = low.to_be_bytes();
                    IpAddr::from([h1, h2, l1, l2])
                }
                _ => IpAddr::V6(v6),
            },
            v4 @ IpAddr::V4(_) => v4,
        };
        match address {
            IpAddr::V4(v4) if v4.is_link_local() => {
                Some("a link-local address, where clouds have their metadata service")
            }
            IpAddr::V4(v4) if v4.octets() == [100, 100, 100, 200] => Some("the address of a metadata service"),
            IpAddr::V4(v4) if v4.octets()[0] == 0 => Some("an unspecified address"),
            IpAddr::V4(v4) if v4.is_broadcast() || v4.octets()[0] >= 240 => Some("a broadcast or reserved address"),
            IpAddr::V6(v6) if v6.is_unicast_link_local() => Some("a link-local address"),
            IpAddr::V6(v6) if v6 == METADATA_V6 => Some("the address of a metadata service"),
            address if address.is_unspecified() => Some("an unspecified address"),
            address if address.is_multicast() => Some("a multicast address"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_services_are_out_of_reach() {
        for bad in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fd00:ec2::254",
            "100.100.100.200",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "fe80::1",
            "240.0.0.1",
            "0.1.2.3",
        ] {
            assert!(AddressPolicy.refuses(bad.parse().unwrap()).is_some(), "{bad}");
        }
        for good in ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "8.8.8.8", "fd00::1", "2001:db8::1"] {
            assert!(AddressPolicy.refuses(good.parse().unwrap()).is_none(), "{good}");
        }
    }
}
