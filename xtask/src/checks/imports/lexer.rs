//! Splits Rust source into the few kinds of tokens that paths and modules are read from.

/// A token. Literals, comments and lifetimes leave nothing behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// An identifier or a keyword, without `r#`.
    Ident(String),
    /// The content of a string literal without escapes, for `#[path = "…"]`.
    Text(String),
    /// `::`.
    Colons,
    /// Any other character that is not white space.
    Sign(char),
}

impl Token {
    /// The identifier, if it is one.
    pub(super) fn ident(&self) -> Option<&str> {
        match self {
            Self::Ident(name) => Some(name),
            _ => None,
        }
    }

    /// Whether it is this identifier.
    pub(super) fn is(&self, name: &str) -> bool {
        self.ident() == Some(name)
    }
}

/// Splits a source file. Malformed source gives some tokens, never an error: the compiler reports it better.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: source, tokens: Vec::new() };
    while lexer.step() {}
    lexer.tokens
}

struct Lexer<'a> {
    rest: &'a str,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    /// Reads one token or one piece that is none; false at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        if self.rest.starts_with("//") {
            self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.skip(block_comment(self.rest));
        } else if let Some((length, text)) = string(self.rest) {
            self.tokens.push(Token::Text(text));
            self.skip(length);
        } else if let Some(length) = quoted_char_or_lifetime(self.rest) {
            self.skip(length);
        } else if is_ident_start(first) {
            let name = self.rest.strip_prefix("r#").unwrap_or(self.rest);
            let prefix = self.rest.len() - name.len();
            let length = name.find(|c| !is_ident_part(c)).unwrap_or(name.len());
            self.tokens.push(Token::Ident(name[..length].to_owned()));
            self.skip(prefix + length);
        } else if first.is_ascii_digit() {
            // Suffixes and exponents belong to the number; what follows a dot is another piece.
            self.skip(self.rest.find(|c| !is_ident_part(c)).unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("::") {
            self.tokens.push(Token::Colons);
            self.skip(2);
        } else {
            if !first.is_whitespace() {
                self.tokens.push(Token::Sign(first));
            }
            self.skip(first.len_utf8());
        }
        true
    }

    fn skip(&mut self, length: usize) {
        self.rest = &self.rest[length..];
    }
}

fn is_ident_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_ident_part(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Length of the block comment, nested ones included, that the text begins with.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// Length and content of the string literal that the text begins with, raw, byte and C strings included.
fn string(text: &str) -> Option<(usize, String)> {
    let unprefixed = ["br", "cr", "r", "b", "c"].iter().find_map(|prefix| {
        let rest = text.strip_prefix(prefix)?;
        rest.starts_with(['"', '#']).then_some((*prefix, rest))
    });
    let (prefix, rest) = unprefixed.unwrap_or(("", text));
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let is_raw = prefix.ends_with('r');
    if hashes > 0 && !is_raw {
        return None;
    }
    let content = rest[hashes..].strip_prefix('"')?;
    let length = if is_raw {
        content.find(&format!("\"{}", "#".repeat(hashes))).unwrap_or(content.len())
    } else {
        let mut escaped = false;
        let end = content.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        end.unwrap_or(content.len())
    };
    let total = prefix.len() + hashes + 1 + length + 1 + hashes;
    Some((total.min(text.len()), content[..length].to_owned()))
}

/// Length of the character, byte or lifetime that the text begins with.
fn quoted_char_or_lifetime(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("b'").or_else(|| text.strip_prefix('\''))?;
    let prefix = text.len() - rest.len();
    let mut letters = rest.char_indices();
    let (_, first) = letters.next()?;
    if first == '\\' {
        // The escaped character may be a quote.
        let (escaped, letter) = letters.next()?;
        let after = escaped + letter.len_utf8();
        return Some(prefix + after + rest[after..].find('\'')? + 1);
    }
    if rest[first.len_utf8()..].starts_with('\'') {
        return Some(prefix + first.len_utf8() + 1);
    }
    Some(prefix + rest.find(|c| !is_ident_part(c)).unwrap_or(rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str) -> String {
        let words = tokens(source).into_iter().map(|token| match token {
            Token::Ident(name) => name,
            Token::Text(text) => format!("{text:?}"),
            Token::Colons => "::".to_owned(),
            Token::Sign(sign) => sign.to_string(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn paths_are_read_from_code_only() {
        let source = "use a::b; // use c::d;\n/* use /* e */ f::g; */ x /// use h::i\n";
        assert_eq!(shown(source), "use a :: b ; x");
    }

    #[test]
    fn literals_are_no_code() {
        for (source, expected) in [
            (r#"f("use a::b; \" more") g"#, r#"f ( "use a::b; \\\" more" ) g"#),
            (r###"r#"a " b"# c"###, r#""a \" b" c"#),
            (r#"b"x" c"y" br"\" z"#, r#""x" "y" "\\" z"#),
            (r"'a' b '\'' c '\u{1f}' d b'\n' e", "b c d e"),
            ("fn f<'a>(x: &'a str) {}", "fn f < > ( x : & str ) { }"),
            ("match c { '{' => 1_u8, '\"' => 2.5e3 }", "match c { = > , = > . }"),
            ("r#type::r#fn", "type :: fn"),
        ] {
            assert_eq!(shown(source), expected, "{source}");
        }
    }

    #[test]
    fn malformed_source_ends() {
        for source in ["\"open", "r#\"open", "/* open", "'", "'\\", "b'", "é'é", "r#"] {
            tokens(source);
        }
    }
}
