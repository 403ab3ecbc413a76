//! Parses a user, and says why a line is none.

use serde::de::IgnoredAny;
use statsig::StatsigUser;

use super::json_error;

/// A line that is no user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rejected {
    /// Place in the line, from 1, in bytes.
    pub(crate) column: usize,
    /// The reason; never shows a value, as it might be a private one.
    pub(crate) message: String,
}

/// Reads a user.
///
/// # Errors
/// The reason why the line is no user, and the place in it.
pub(crate) fn parse(line: &[u8]) -> Result<StatsigUser, Rejected> {
    // A user would also be read from an array, field by field.
    if line.first() == Some(&b'[') {
        return Err(Rejected { column: 1, message: "expected is one JSON object a line, not an array".to_owned() });
    }
    serde_json::from_slice(line).map_err(|error| reject(line, &error))
}

/// Describes a line that is no user.
fn reject(line: &[u8], error: &serde_json::Error) -> Rejected {
    if let Err(error) = std::str::from_utf8(line) {
        let message =
            "the line is not UTF-8; is the file in another encoding? iconv -f WINDOWS-1252 -t UTF-8 converts it";
        return Rejected { column: error.valid_up_to() + 1, message: message.to_owned() };
    }
    // Text that is no JSON at all has an error of its own, which says so.
    match serde_json::from_slice::<IgnoredAny>(line) {
        Err(syntax) => Rejected { column: syntax.column(), message: describe_syntax(line, &syntax) },
        Ok(IgnoredAny) => Rejected { column: error.column(), message: describe_data(line, error) },
    }
}

/// Describes text that is no JSON.
fn describe_syntax(line: &[u8], error: &serde_json::Error) -> String {
    let advice = match word_at(line, error.column()) {
        "NaN" | "nan" | "Infinity" | "inf" => {
            "NaN and Infinity are no JSON; pandas and Python's json.dumps write them for missing values: write null, or \
             leave the field out"
        }
        "None" | "True" | "False" => "None, True and False are Python, not JSON: write lines with json.dumps(user)",
        "undefined" => "undefined is JavaScript, not JSON: write null, or leave the field out",
        _ if is_single_quote(line, error.column()) => {
            "single quotes are Python or JavaScript, not JSON: write lines with json.dumps(user) or JSON.stringify(user)"
        }
        _ => return json_error::message(error),
    };
    advice.to_owned()
}

/// Describes JSON that is no user.
fn describe_data(line: &[u8], error: &serde_json::Error) -> String {
    let message = json_error::message(error);
    if message.starts_with("duplicate field") {
        return message;
    }
    match path_of_error(line).as_str() {
        "" | "." => "expected a JSON object, such as {\"userID\": \"u-1\"}".to_owned(),
        path => format!("`{path}`: expected an object"),
    }
}

/// The word that a column stands in.
fn word_at(line: &[u8], column: usize) -> &str {
    let at = column.saturating_sub(1).min(line.len());
    let start = line[..at].iter().rposition(|byte| !byte.is_ascii_alphabetic()).map_or(0, |before| before + 1);
    let length = line[start..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    std::str::from_utf8(&line[start..start + length]).unwrap_or_default()
}

fn is_single_quote(line: &[u8], column: usize) -> bool {
    line.get(column.saturating_sub(1)) == Some(&b'\'')
}

fn path_of_error(line: &[u8]) -> String {
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    let user = serde_path_to_error::deserialize::<_, StatsigUser>(&mut deserializer);
    user.map_or_else(|error| error.path().to_string(), |_| String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_where_but_never_show_values() {
        for (line, column, message) in [
            (r#"{"userID": "u" "email": 1}"#, 16, "expected `,` or `}`"),
            (r#"{"userID": "u", "userId": "v"}"#, 24, "duplicate field `userID`"),
            (r#"[{"userID": "u"},"#, 1, "expected is one JSON object a line, not an array"),
            (r#"[{"userID": "u"}]"#, 1, "expected is one JSON object a line, not an array"),
            ("[]", 1, "expected is one JSON object a line, not an array"),
            (r#""u-1""#, 5, r#"expected a JSON object, such as {"userID": "u-1"}"#),
            (r#"{"custom": "secret"}"#, 19, "`custom`: expected an object"),
            (r#"{"privateAttributes": "secret"}"#, 30, "`privateAttributes`: expected an object"),
        ] {
            let rejected = parse(line.as_bytes()).unwrap_err();
            assert_eq!((rejected.column, rejected.message.as_str()), (column, message), "{line}");
        }
    }

    #[test]
    fn another_encoding_is_named() {
        let rejected = parse(b"{\"email\": \"M\xfcller\"}").unwrap_err();
        assert_eq!(rejected.column, 13);
        assert!(rejected.message.starts_with("the line is not UTF-8"), "{}", rejected.message);
    }

    #[test]
    fn words_of_other_languages_are_named() {
        for (line, message) in [
            (r#"{"userID": "u", "custom": {"age": NaN}}"#, "NaN and Infinity are no JSON"),
            (r#"{"custom": {"age": Infinity}}"#, "NaN and Infinity are no JSON"),
            (r#"{"custom": {"age": -Infinity}}"#, "NaN and Infinity are no JSON"),
            (r#"{"custom": {"age": nan}}"#, "NaN and Infinity are no JSON"),
            (r#"{"email": None}"#, "None, True and False are Python"),
            (r#"{"custom": {"paid": True}}"#, "None, True and False are Python"),
            (r#"{"email": undefined}"#, "undefined is JavaScript"),
            (r#"{'userID': 'u'}"#, "single quotes are Python"),
            (r#"{"userID": 'u'}"#, "single quotes are Python"),
        ] {
            let rejected = parse(line.as_bytes()).unwrap_err();
            assert!(rejected.message.starts_with(message), "{line}: {}", rejected.message);
        }
    }
}
