//! Explains failures of TLS: the cause, and what to do about it.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};

/// Names of a certificate that are listed.
const NAMES: usize = 5;

/// Explains an error if TLS, or its absence, is behind it. `is_tls` says whether the address begins with `https`.
pub(crate) fn explain(error: &(dyn Error + 'static), is_tls: bool) -> Option<String> {
    if !is_tls {
        return without_tls(error);
    }
    match find::<rustls::Error>(error)?.clone() {
        rustls::Error::InvalidCertificate(error) => Some(certificate(&error)),
        rustls::Error::AlertReceived(alert) => Some(alert_received(alert)),
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::InvalidEmptyPayload
            | InvalidMessage::MessageTooLarge,
        ) => Some(
            "the server does not speak TLS on this port: check the port, or give an address that begins with http://"
                .to_owned(),
        ),
        rustls::Error::NoCertificatesPresented => Some("the server shows no certificate".to_owned()),
        rustls::Error::PeerIncompatible(error) => Some(format!(
            "the server and this client have no protocol version or cipher suite of TLS in common ({error:?}): \
             the server must speak TLS 1.2 or 1.3"
        )),
        error => Some(format!("TLS failed: {error}")),
    }
}

/// Explains why the certificate of a server is not accepted.
fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => "the server's certificate is signed by an authority that is not trusted: if \
             it is your own authority, name its certificate with the option `tls.ca`; if it is a public one, the server \
             may leave out intermediate certificates"
            .to_owned(),
        CertificateError::Expired => "the server's certificate has expired: renew it".to_owned(),
        CertificateError::ExpiredContext { time, not_after } => format!(
            "the server's certificate expired {} ago: renew it, or check this machine's clock",
            span(time.as_secs().saturating_sub(not_after.as_secs()))
        ),
        CertificateError::NotValidYet => {
            "the server's certificate is not valid yet: check this machine's clock".to_owned()
        }
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "the server's certificate becomes valid in {}: check this machine's clock",
            span(not_before.as_secs().saturating_sub(time.as_secs()))
        ),
        CertificateError::NotValidForName => {
            "the server's certificate is for another name than the host of the address".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "the server's certificate is not for the host `{}`, but for {}: use a name that it has, or a certificate for \
             this host",
            expected.to_str(),
            names(presented)
        ),
        CertificateError::Revoked => "the server's certificate is revoked: replace it".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => not_for_servers(),
        CertificateError::BadSignature => "the signature of the server's certificate is wrong: an authority of the same \
             name but another key, named with the option `tls.ca`, has this effect"
            .to_owned(),
        CertificateError::BadEncoding => "the server's certificate cannot be read".to_owned(),
        // The errors of the libraries that check certificates have no other form here.
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "the server shows the certificate of an authority as its own (self-signed, with CA:TRUE), which is not \
             accepted, even if the option `tls.ca` names it: make a certificate with CA:FALSE (`openssl req -x509 … -addext \
             basicConstraints=critical,CA:FALSE`) and name that with `tls.ca`, or let the authority sign one for the server"
                .to_owned()
        }
        CertificateError::Other(other) if format!("{other:?}").contains("Eku") => not_for_servers(),
        error => format!("the server's certificate is not accepted: {error}"),
    }
}

fn not_for_servers() -> String {
    "the server's certificate is not made for servers: it needs the extended key usage `serverAuth`".to_owned()
}

/// Explains what the server says by an alert.
fn alert_received(alert: AlertDescription) -> String {
    use AlertDescription as Alert;
    match alert {
        Alert::CertificateRequired => {
            "the server requires a client certificate: name one with the options `tls.client_cert` and `tls.client_key`"
                .to_owned()
        }
        Alert::UnknownCA
        | Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateUnknown
        | Alert::CertificateExpired
        | Alert::CertificateRevoked
        | Alert::AccessDenied
        | Alert::DecryptError => format!(
            "the server refuses the client certificate, or requires one ({alert:?}): check the options `tls.client_cert` \
             and `tls.client_key`, and which authority the server trusts"
        ),
        Alert::HandshakeFailure | Alert::ProtocolVersion | Alert::InsufficientSecurity => format!(
            "the server refuses the TLS handshake ({alert:?}): it may require a client certificate (options \
             `tls.client_cert` and `tls.client_key`), or speak neither TLS 1.2 nor 1.3"
        ),
        Alert::UnrecognisedName => "the server has no certificate for the host of the address".to_owned(),
        alert => format!("the server ends the TLS connection ({alert:?})"),
    }
}

/// Explains an answer to plain HTTP that is not HTTP: a server that expects TLS answers with an alert, or hangs up.
fn without_tls(error: &(dyn Error + 'static)) -> Option<String> {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    let has = |part: &str| texts.iter().any(|text| text.contains(part));
    let cause = texts.last().cloned().unwrap_or_default();
    // The HTTP library has no types for these.
    if has("invalid HTTP") || has("message head") {
        return Some(format!(
            "what the server answers is not HTTP ({cause}): if it speaks TLS on this port, the address must begin with \
             https://"
        ));
    }
    has("connection closed before message completed")
        .then(|| format!("{cause}: if the server speaks TLS on this port, the address must begin with https://"))
}

/// The names that a certificate has.
fn names(presented: &[String]) -> String {
    let shown: Vec<String> = presented.iter().take(NAMES).map(|name| name_of(name)).collect();
    match presented.len() {
        0 => "no name at all (a common name does not count)".to_owned(),
        1..=NAMES => shown.join(", "),
        all => format!("{} and {} more", shown.join(", "), all - NAMES),
    }
}

/// A name from a certificate: its text within quotes if it is shown as `DnsName("…")`, not too long.
fn name_of(shown: &str) -> String {
    let name = shown.split('"').nth(1).unwrap_or(shown);
    format!("`{}`", name.chars().filter(|c| !c.is_control()).take(60).collect::<String>())
}

/// A time span in its largest unit.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Finds an error of a type among an error and its sources, also within I/O errors, which hide what they hold.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let held = error.downcast_ref::<io::Error>().and_then(|error| error.get_ref());
        if let Some(found) = held.and_then(|held| find::<T>(held)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_found_behind_others() {
        let alert = || rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
        let held = io::Error::other(io::Error::other(alert()));
        assert!(explain(&held, true).unwrap().contains("tls.client_cert"));
        assert_eq!(explain(&io::Error::other("x"), true), None);
        let closed = io::Error::other("connection closed before message completed");
        assert!(explain(&closed, false).unwrap().contains("https://"));
        assert_eq!(explain(&io::Error::other("x"), false), None);
    }

    #[test]
    fn names_and_times_are_short() {
        let many: Vec<String> = (0..9).map(|n| format!("DnsName(\"h{n}.example\")")).collect();
        assert_eq!(names(&many), "`h0.example`, `h1.example`, `h2.example`, `h3.example`, `h4.example` and 4 more");
        assert_eq!(names(&["x".repeat(500)]).len(), 62);
        assert_eq!([span(5), span(300), span(7_300), span(864_000)], ["5 seconds", "5 minutes", "2 hours", "10 days"]);
    }
}
