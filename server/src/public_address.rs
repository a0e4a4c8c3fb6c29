//! Which addresses the relay may connect to for others, an office or a certificate: public ones. Else they could have the relay knock
//! at doors of its operator's own network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is a public one (IANA special-purpose registries, RFC 6890).
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        // "This network", shared address space (RFC 6598), IETF protocols, benchmarks (RFC 2544), reserved and broadcast.
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
        || a >= 240;
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inside) = address.to_ipv4_mapped() {
        return is_public_v4(inside);
    }
    let [first, second, third, ..] = address.segments();
    let embedded = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match (first, second, third) {
        // NAT64 (RFC 6052) and 6to4 (RFC 3056) lead to an IPv4 address.
        (0x64, 0xff9b, 0) => {
            let [.., high, low] = address.segments();
            is_public_v4(embedded(high, low))
        }
        (0x2002, high, low) => is_public_v4(embedded(high, low)),
        // Teredo, protocol assignments and documentation.
        (0x2001, second, _) if second < 0x200 || second == 0xdb8 => false,
        // Of all the rest only global unicast is given out.
        (first, ..) => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doors_of_the_operators_own_network_are_shut() {
        for shut in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "192.0.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "203.0.113.5",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::1",
            "2001:db8::1",
            "2001::1",
            "64:ff9b:1::1",
            "::7f00:1",
        ] {
            assert!(!is_public(shut.parse().unwrap()), "{shut}");
        }
        for open in
            ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2400:cb00::1", "64:ff9b::808:808", "::ffff:8.8.8.8"]
        {
            assert!(is_public(open.parse().unwrap()), "{open}");
        }
    }
}
