//! Finds secrets in texts, in the encodings that servers and gateways repeat them in.

/// Secrets shorter than this are masked only where no letter or digit is beside them.
const WORD: usize = 8;
/// Shorter texts are no secrets.
const LEAST: usize = 3;
/// Secrets from this length on are also looked for within Base64.
const LEAST_BASE64: usize = 12;

/// A secret that is looked for.
pub(super) struct Secret<'a> {
    plain: &'a [u8],
    /// The characters of Base64 that depend on the secret alone, for each of its places within a group of three.
    base64: Vec<Vec<u8>>,
}

impl<'a> Secret<'a> {
    /// Prepares the search; `None` for what is too short to be a secret.
    pub(super) fn new(secret: &'a str) -> Option<Self> {
        let plain = secret.as_bytes();
        let base64 = if plain.len() < LEAST_BASE64 { Vec::new() } else { (0..3).map(|at| core(plain, at)).collect() };
        (plain.len() >= LEAST).then_some(Self { plain, base64 })
    }

    /// The text with something in the place of the secret; `None` if it is not there.
    pub(super) fn replaced(&self, text: &str, by: &str) -> Option<String> {
        let mut out = String::new();
        let (mut copied, mut at) = (0, 0);
        while at < text.len() {
            match self.end_at(text.as_bytes(), at) {
                Some(end) if text.is_char_boundary(at) && text.is_char_boundary(end) => {
                    out.push_str(&text[copied..at]);
                    out.push_str(by);
                    (copied, at) = (end, end);
                }
                _ => at += 1,
            }
        }
        if copied == 0 {
            return None;
        }
        out.push_str(&text[copied..]);
        Some(out)
    }

    /// Returns where the secret ends, if it begins here.
    fn end_at(&self, text: &[u8], at: usize) -> Option<usize> {
        if let Some(end) = match_at(text, at, self.plain) {
            let beside = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
            let is_word = !beside(text[..at].last()) && !beside(text.get(end));
            return (self.plain.len() >= WORD || is_word).then_some(end);
        }
        self.base64.iter().find_map(|core| {
            let part = text.get(at..at + core.len())?;
            let is_same =
                |(own, other): (&u8, &u8)| *own == *other || matches!((own, other), (b'+', b'-') | (b'/', b'_'));
            core.iter().zip(part).all(is_same).then_some(at + core.len())
        })
    }
}

/// Returns where a secret ends that begins here, each byte as it is or encoded.
pub(super) fn match_at(text: &[u8], at: usize, secret: &[u8]) -> Option<usize> {
    secret.iter().try_fold(at, |at, byte| match_byte(text, at, *byte))
}

/// Returns where a byte ends: as it is, `%2D`, `%252d` or `\u002d`.
fn match_byte(text: &[u8], at: usize, byte: u8) -> Option<usize> {
    let rest = text.get(at..)?;
    if rest.first() == Some(&byte) {
        return Some(at + 1);
    }
    if let Some(escape) = rest.strip_prefix(b"\\u00") {
        return (hex(escape) == Some(byte)).then_some(at + 6);
    }
    let mut escape = rest.strip_prefix(b"%")?;
    let mut end = at + 3;
    while hex(escape) != Some(byte) {
        // Encoded once more.
        escape = escape.strip_prefix(b"25")?;
        end += 2;
    }
    Some(end)
}

/// The value of two hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    u8::try_from(digit(0)? << 4 | digit(1)?).ok()
}

/// Returns where the characters of a key end, each as it is or percent-encoded.
pub(super) fn end_of_key(text: &[u8], mut at: usize) -> usize {
    let is_of_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    loop {
        match text.get(at) {
            Some(byte) if is_of_key(*byte) => at += 1,
            Some(b'%') if text.get(at + 1..).and_then(hex).is_some_and(is_of_key) => at += 3,
            _ => return at,
        }
    }
}

/// The characters that a secret has in Base64 after so many other bytes, without those at the ends that depend on
/// what stands beside it.
fn core(secret: &[u8], before: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = std::iter::repeat_n(0, before).chain(secret.iter().copied()).collect();
    let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    let group = |at: usize| (0..6).fold(0, |sum, offset| sum << 1 | usize::from(bit(6 * at + offset)));
    let whole = bytes.len() * 8 / 6;
    ((before * 8).div_ceil(6)..whole).map(|at| ALPHABET[group(at)]).collect()
}
