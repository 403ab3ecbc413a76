use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;

#[test]
fn countries_of_known_addresses() {
    let table = [
        ("8.8.8.8", Some("US")),
        ("1.1.1.1", Some("US")),
        ("24.18.183.148", Some("US")),
        ("114.114.114.114", Some("CN")),
        ("81.2.69.160", Some("GB")),
        ("127.0.0.1", None),
        ("10.0.0.1", None),
        ("0.0.0.0", None),
        ("255.255.255.255", None),
    ];
    for (ip, expected) in table {
        assert_eq!(country_of(ip), expected, "{ip}");
    }
}

#[test]
fn what_counts_as_an_address() {
    let at = |a: u8, b, c, d| Some(u32::from_be_bytes([a, b, c, d]));
    let table = [
        ("8.8.8.8", at(8, 8, 8, 8)),
        ("+8.008.8.-0", at(8, 8, 8, 0)),
        ("8.8.7.256", at(8, 8, 8, 0)),
        ("9.-1.8.8", at(8, 255, 8, 8)),
        ("0.0.0.134744072", at(8, 8, 8, 8)),
        ("255.255.255.255", at(255, 255, 255, 255)),
        ("-1.0.0.0", at(0, 0, 0, 0)),
        ("0.0.0.-1", at(0, 0, 0, 0)),
        ("256.0.0.0", None),
        ("999.1.1.1", None),
        ("255.255.255.256", None),
        ("9223372036854775807.0.0.0", None),
        ("1.9223372036854775807.0.0", None),
        ("9223372036854775808.0.0.0", None),
        ("", None),
        ("...", None),
        ("8.8.8", None),
        ("8.8.8.8.8", None),
        ("8.8.8.8.", None),
        (".8.8.8", None),
        (" 8.8.8.8", None),
        ("8.8.8.8 ", None),
        ("8.8.8.+", None),
        ("8.8.8.0x8", None),
        ("8.8.8.8/32", None),
        ("8.8.8.8:80", None),
        ("８.8.8.8", None),
        ("::1", None),
        ("::ffff:8.8.8.8", None),
        ("2001:4860:4860::8888", None),
        ("localhost", None),
    ];
    for (ip, expected) in table {
        assert_eq!(parse(ip), expected, "{ip}");
    }
}

#[test]
fn the_file_is_the_published_one() {
    let digest: String = Sha256::digest(FILE).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, "9c9512b8f42756799b7c7eff398f5751857448ead939f42ef58ad3a1b1c308f8");
    preload();
    let table = table();
    assert_eq!(table.codes.len(), 243);
    assert_eq!(table.records.len(), 198_578);
    assert_eq!(table.index.len(), PREFIXES + 1);
}

/// Compares each run's first and last address with a plain reading of the file.
#[test]
fn every_run_answers_at_both_ends() {
    let table = table();
    let mut reader = Reader { rest: FILE };
    let codes = reader.codes();
    let mut start = 0_u64;
    while let Some((blocks, code)) = reader.record() {
        let end = start + u64::from(blocks) * 256;
        let code = codes[usize::from(code)];
        let expected = (code != "--").then_some(code);
        for address in [start, end - 1] {
            assert_eq!(table.country(address as u32), expected, "{address}");
        }
        start = end;
    }
    assert_eq!(start, 1 << 32);
}

#[test]
fn run_lengths_of_each_size() {
    // Blocks: 1 AA, 300 BB (two bytes), 70 000 -- (three bytes), none of AA, 2 BB.
    let file = b"AABB--**\x01\x00\xf2\x2c\x01\x01\xf3\x70\x11\x01\x02\x00\x00\x02\x01";
    let table = Table::decode(file);
    let runs = [(0, Some("AA")), (1, Some("BB")), (300, Some("BB"))];
    let rest = [(301, None), (70_300, None), (70_301, Some("BB")), (70_302, Some("BB")), (70_303, None)];
    for (block, expected) in runs.into_iter().chain(rest) {
        assert_eq!(table.country(block << 8), expected, "{block}");
        assert_eq!(table.country(block << 8 | 255), expected, "{block}");
    }
}

#[test]
fn a_damaged_file_has_no_countries_where_it_ends() {
    for file in [&b""[..], b"A", b"AA", b"**", b"**\x05", b"AA**\xf3\xff\xff", b"**\x01\x09"] {
        let table = Table::decode(file);
        assert_eq!(table.country(0), None, "{file:?}");
        assert_eq!(table.country(u32::MAX), None, "{file:?}");
    }
    // More blocks than there are addresses.
    let table = Table::decode(b"AA**\xf3\xff\xff\xff\x00\xf3\xff\xff\xff\x00");
    assert_eq!(table.country(u32::MAX - 256), Some("AA"));
}

proptest! {
    #[test]
    fn any_text_is_safe(text in prop_oneof![".{0,60}", "[-+0-9.]{0,60}", r"[-+]?[0-9]{1,20}(\.[-+]?[0-9]{1,20}){3}"]) {
        let country = country_of(&text);
        prop_assert!(country.is_none_or(|code| code.len() == 2 && code != "--"));
    }

    #[test]
    fn the_last_octet_never_decides(address in any::<u32>(), octet in any::<u8>()) {
        let neighbour = address & !0xff | u32::from(octet);
        prop_assert_eq!(table().country(address), table().country(neighbour));
    }
}
