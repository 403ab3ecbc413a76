//! Which address each request goes to.

use std::collections::BTreeMap;

use statsig_core::SpecRequest;
use url::Url;

use crate::error::Error;
use crate::proxy_config::{AuthenticationMode, NetworkEndpoint, NetworkProtocol, ProxyConfig};
use crate::secret::SdkKey;
use crate::transport::TlsOptions;

const SPECS: &str = "https://api.statsigcdn.com/v2/download_config_specs";
const CDN_HOST: &str = "api.statsigcdn.com";
const ID_LISTS: &str = "https://api.statsigcdn.com/v1/get_id_lists";
const SDK_EXCEPTION: &str = "https://statsigapi.net/v1/sdk_exception";
const LOG_EVENT: &str = "https://prodregistryv2.org/v1/log_event";

/// Where to send requests, if not to Statsig's own servers.
///
/// For each endpoint the first that is given counts: its entry in `proxies`, the entry for
/// [`All`](NetworkEndpoint::All), its own address, `api`, the default. Only entries that speak HTTP
/// count here; the others are streams.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct EndpointOptions {
    /// The base of all addresses, such as `https://statsig.example.com/v1`.
    pub api: Option<String>,
    /// Address of the config specs, up to and with `download_config_specs`.
    pub specs_url: Option<String>,
    /// Address of the config specs that is asked after the first one, in the same form as `specs_url`.
    pub fallback_specs_url: Option<String>,
    /// Address of the manifest of the ID lists, whole.
    pub id_lists_url: Option<String>,
    /// Scheme and host that take the place of those in a manifest's addresses.
    pub id_list_file_api: Option<String>,
    /// Address for events, whole.
    pub log_event_url: Option<String>,
    /// Address for reports of errors, whole.
    pub sdk_exception_url: Option<String>,
    /// Forward proxies.
    pub proxies: BTreeMap<NetworkEndpoint, ProxyConfig>,
}

/// Which shape of config specs an address serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpecsVersion {
    /// `…/v1/download_config_specs`
    V1,
    /// `…/v2/download_config_specs`
    V2,
    /// We chose version 2; a server that does not know it may know version 1.
    V2OrV1,
}

impl SpecsVersion {
    /// The endpoint, for metrics.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::V1 => "/v1/download_config_specs",
            Self::V2 | Self::V2OrV1 => "/v2/download_config_specs",
        }
    }
}

/// Where config specs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SpecsAddress {
    prefix: Url,
    pub(crate) version: SpecsVersion,
}

impl SpecsAddress {
    /// Statsig's own servers.
    pub(crate) fn statsig() -> Result<Self, Error> {
        Self::parse(SPECS).map_err(|problem| Error::Misconfigured { problems: vec![problem] })
    }

    pub(crate) fn is_statsig(&self) -> bool {
        self.prefix.as_str() == SPECS
    }

    /// Whether it is on one of the vendor's servers.
    pub(crate) fn is_vendors(&self) -> bool {
        is_vendors(&self.prefix)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let prefix = parse(text, "https")?;
        // An address without a version is taken as it is: there is no other to try.
        let is_v1 = last_version(&prefix).is_some_and(|(_, version)| version == "v1");
        let version = if is_v1 { SpecsVersion::V1 } else { SpecsVersion::V2 };
        Ok(Self { prefix, version })
    }

    /// Below a base, with or without a version.
    fn below(base: &str, scheme: &str) -> Result<Self, String> {
        let base = parse(base, scheme)?;
        let (rest, version) = split_version(base.path());
        let (segment, version) = match version {
            Some("v1") => ("v1", SpecsVersion::V1),
            Some(_) => ("v2", SpecsVersion::V2),
            None => ("v2", SpecsVersion::V2OrV1),
        };
        let mut prefix = base.clone();
        prefix.set_path(&format!("{rest}/{segment}/download_config_specs"));
        Ok(Self { prefix, version })
    }

    /// The same place, for servers that know version 1 only.
    pub(crate) fn as_v1(&self) -> Self {
        let mut prefix = self.prefix.clone();
        if let Some((at, _)) = last_version(&self.prefix) {
            let segments = self.prefix.path().split('/').enumerate();
            let path: Vec<&str> = segments.map(|(n, segment)| if n == at { "v1" } else { segment }).collect();
            prefix.set_path(&path.join("/"));
        }
        Self { prefix, version: SpecsVersion::V1 }
    }

    /// The address to ask at. Holds the key.
    pub(crate) fn request_url(&self, key: &SdkKey, request: &SpecRequest) -> Url {
        let mut url = self.prefix.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(&format!("{}.json", key.expose()));
        }
        {
            let mut query = url.query_pairs_mut();
            if let Some(version) = request.version.as_ref().filter(|version| version.time_ms > 0) {
                query.append_pair("sinceTime", &version.time_ms.to_string());
                if let Some(checksum) = &version.checksum {
                    query.append_pair("checksum", checksum);
                }
            }
            if request.accepts_protobuf {
                query.append_pair("supports_proto", "true");
                if request.accepts_deltas {
                    query.append_pair("accept_deltas", "true");
                }
            }
        }
        if url.query() == Some("") {
            url.set_query(None);
        }
        url
    }

    /// Scheme, host and version, for reports.
    pub(crate) fn origin(&self) -> String {
        let version = if self.version == SpecsVersion::V1 { "v1" } else { "v2" };
        format!("{}://{}/{version}", self.prefix.scheme(), crate::transport::host_of(&self.prefix))
    }
}

/// Where the manifest of the ID lists is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdListsAddress {
    /// Up to and with `get_id_lists`.
    pub(crate) url: Url,
    /// Whether it is a file of the CDN, got by GET with the key in the path.
    pub(crate) is_cdn: bool,
}

impl IdListsAddress {
    pub(crate) fn statsig() -> Result<Self, Error> {
        Self::parse(ID_LISTS).map_err(|problem| Error::Misconfigured { problems: vec![problem] })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let url = parse(text, "https")?;
        Ok(Self { is_cdn: url.as_str().starts_with(ID_LISTS), url })
    }
}

/// Whether an address is one of the vendor's content delivery network.
pub(crate) fn is_cdn(url: &Url) -> bool {
    url.scheme() == "https" && url.host_str() == Some(CDN_HOST) && url.port().is_none()
}

/// Domains of the vendor's servers, with those below them.
const VENDOR_DOMAINS: [&str; 6] =
    ["statsigapi.net", "statsigcdn.com", "statsig.com", "prodregistryv2.org", "featureassets.org", "featuregates.org"];

/// Whether an address is on one of the vendor's servers, encrypted or not.
pub(crate) fn is_vendors(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let host = host.trim_end_matches('.');
        VENDOR_DOMAINS
            .iter()
            .any(|domain| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    })
}

/// Whether an address is one of the vendor's servers.
pub(crate) fn is_statsig(url: &Url) -> bool {
    let is_of =
        |host: &str, domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let known = ["statsigcdn.com", "statsigapi.net", "statsig.com"];
    url.scheme() == "https" && url.host_str().is_some_and(|host| known.iter().any(|domain| is_of(host, domain)))
}

/// The addresses that the options come to.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    pub(crate) specs: SpecsAddress,
    pub(crate) fallback_specs: Option<SpecsAddress>,
    pub(crate) id_lists: IdListsAddress,
    pub(crate) id_list_files: Option<Url>,
    pub(crate) log_event: Url,
    pub(crate) sdk_exception: Url,
    /// TLS of endpoints that have a proxy with its own.
    pub(crate) tls: BTreeMap<NetworkEndpoint, TlsOptions>,
}

impl Endpoints {
    /// Works out every address; all problems are listed.
    pub(crate) fn resolve(options: &EndpointOptions) -> Result<Self, Error> {
        use NetworkEndpoint::{DownloadConfigSpecs, DownloadIdListFile, GetIdLists, LogEvent};
        let mut problems = Vec::new();
        let mut tls = BTreeMap::new();
        let mut proxy = |endpoint| {
            let found = options.proxies.get(&endpoint).or_else(|| options.proxies.get(&NetworkEndpoint::All));
            let config = found.filter(|config| config.protocol == NetworkProtocol::Http)?;
            match config.tls() {
                Ok(options) if config.authentication_mode != AuthenticationMode::None => {
                    tls.insert(endpoint, options);
                }
                Ok(_) => {}
                Err(found) => problems.extend(found),
            }
            let scheme = if config.authentication_mode == AuthenticationMode::None { "http" } else { "https" };
            Some((config.proxy_address.as_str(), scheme))
        };
        let given = |text: &Option<String>| {
            let text = text.as_deref().map(str::trim).filter(|text| !text.is_empty());
            text.filter(|text| !text.eq_ignore_ascii_case("null")).map(str::to_owned)
        };
        let base = given(&options.api);
        let base = base.as_deref();

        let specs = match (proxy(DownloadConfigSpecs), given(&options.specs_url), base) {
            (Some((address, scheme)), ..) => named("proxy", SpecsAddress::below(address, scheme)),
            (None, Some(url), _) => named("specs_url", SpecsAddress::parse(&url)),
            (None, None, Some(base)) => named("api", SpecsAddress::below(base, "https")),
            (None, None, None) => SpecsAddress::parse(SPECS),
        };
        let fallback_specs = given(&options.fallback_specs_url);
        let fallback_specs =
            fallback_specs.map(|url| named("fallback_specs_url", SpecsAddress::parse(&url))).transpose();
        let id_lists = match (proxy(GetIdLists), given(&options.id_lists_url), base) {
            (Some((address, scheme)), ..) => named("proxy", below(address, scheme, "get_id_lists").map(posted)),
            (None, Some(url), _) => named("id_lists_url", IdListsAddress::parse(&url)),
            (None, None, Some(base)) => named("api", below(base, "https", "get_id_lists").map(posted)),
            (None, None, None) => IdListsAddress::parse(ID_LISTS),
        };
        let id_list_files = match (proxy(DownloadIdListFile), given(&options.id_list_file_api)) {
            (Some((address, scheme)), _) => named("proxy", parse(address, scheme).map(Some)),
            (None, Some(host)) => named("id_list_file_api", parse(&host, "https").map(Some)),
            (None, None) => Ok(None),
        };
        let log_event = match (proxy(LogEvent), given(&options.log_event_url), base) {
            (Some((address, scheme)), ..) => named("proxy", below(address, scheme, "log_event")),
            (None, Some(url), _) => named("log_event_url", parse(&url, "https")),
            (None, None, Some(base)) => named("api", below(base, "https", "log_event")),
            (None, None, None) => parse(LOG_EVENT, "https"),
        };
        let sdk_exception = match (given(&options.sdk_exception_url), base) {
            (Some(url), _) => named("sdk_exception_url", parse(&url, "https")),
            (None, Some(base)) => named("api", below(base, "https", "sdk_exception")),
            (None, None) => parse(SDK_EXCEPTION, "https"),
        };
        let specs = specs.and_then(|specs| Ok((specs, fallback_specs?)));
        match (specs, id_lists, id_list_files, log_event, sdk_exception, problems.is_empty()) {
            (Ok((specs, fallback_specs)), Ok(id_lists), Ok(id_list_files), Ok(log_event), Ok(sdk_exception), true) => {
                Ok(Self { specs, fallback_specs, id_lists, id_list_files, log_event, sdk_exception, tls })
            }
            (specs, id_lists, id_list_files, log_event, sdk_exception, _) => {
                let found = [specs.err(), id_lists.err(), id_list_files.err(), log_event.err(), sdk_exception.err()];
                problems.extend(found.into_iter().flatten());
                problems.dedup();
                Err(Error::Misconfigured { problems })
            }
        }
    }
}

/// A problem says which option it is about.
fn named<T>(option: &str, result: Result<T, String>) -> Result<T, String> {
    result.map_err(|problem| format!("`{option}`: {problem}"))
}

fn posted(url: Url) -> IdListsAddress {
    IdListsAddress { is_cdn: url.as_str().starts_with(ID_LISTS), url }
}

/// An endpoint of version 1 below a base, with or without a version.
fn below(base: &str, scheme: &str, endpoint: &str) -> Result<Url, String> {
    let mut url = parse(base, scheme)?;
    let path = format!("{}/v1/{endpoint}", split_version(url.path()).0);
    url.set_path(&path);
    Ok(url)
}

/// The last version that an address names, and which segment of its path that is.
fn last_version(url: &Url) -> Option<(usize, &str)> {
    let segments: Vec<&str> = url.path().split('/').collect();
    segments.into_iter().enumerate().rfind(|(_, segment)| matches!(*segment, "v1" | "v2"))
}

/// A path without the version at its end, and the version.
fn split_version(path: &str) -> (&str, Option<&str>) {
    let path = path.trim_end_matches('/');
    match path.rsplit_once('/') {
        Some((rest, version @ ("v1" | "v2"))) => (rest, Some(version)),
        _ => (path, None),
    }
}

/// An HTTP address, with a scheme if it has none, without slashes at the end.
fn parse(text: &str, default_scheme: &str) -> Result<Url, String> {
    let text = text.trim().trim_end_matches('/');
    let shown = crate::mask::shown_address(text);
    let whole = if text.contains("://") { text.to_owned() } else { format!("{default_scheme}://{text}") };
    let url = Url::parse(&whole).map_err(|error| format!("`{shown}` is not an address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{shown}` is not an HTTP address"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use statsig_core::{SpecTrigger, SpecVersion};

    use super::*;

    fn resolved(change: impl FnOnce(&mut EndpointOptions)) -> Result<[String; 4], Error> {
        let mut options = EndpointOptions::default();
        change(&mut options);
        let endpoints = Endpoints::resolve(&options)?;
        let key = SdkKey::new("secret-k");
        Ok([
            endpoints.specs.request_url(&key, &SpecRequest::default()).to_string(),
            format!("{}{}", if endpoints.id_lists.is_cdn { "GET " } else { "POST " }, endpoints.id_lists.url),
            endpoints.id_list_files.map_or("-".to_owned(), |url| url.to_string()),
            endpoints.log_event.to_string(),
        ])
    }

    fn http(address: &str) -> ProxyConfig {
        ProxyConfig::new(NetworkProtocol::Http, address)
    }

    #[test]
    fn defaults_are_statsigs_servers() {
        let defaults = [
            "https://api.statsigcdn.com/v2/download_config_specs/secret-k.json",
            "GET https://api.statsigcdn.com/v1/get_id_lists",
            "-",
            "https://prodregistryv2.org/v1/log_event",
        ];
        assert_eq!(resolved(|_| {}).unwrap(), defaults);
        for nothing in ["", " ", "null", "NULL"] {
            let set = resolved(|options| {
                options.api = Some(nothing.into());
                options.specs_url = Some(nothing.into());
                options.log_event_url = Some(nothing.into());
            });
            assert_eq!(set.unwrap(), defaults);
        }
    }

    #[test]
    fn proxies_come_before_addresses_before_the_api() {
        let api = |options: &mut EndpointOptions| options.api = Some("https://a.example/x/v1/".into());
        let own = |options: &mut EndpointOptions| {
            options.specs_url = Some("https://s.example/v2/download_config_specs/".into());
            options.id_lists_url = Some("http://i.example/lists".into());
            options.id_list_file_api = Some("https://f.example/".into());
            options.log_event_url = Some("https://l.example/v1/log_event".into());
        };
        let with_api = resolved(api).unwrap();
        assert_eq!(with_api[0], "https://a.example/x/v1/download_config_specs/secret-k.json");
        assert_eq!(with_api[1], "POST https://a.example/x/v1/get_id_lists");
        assert_eq!(with_api[3], "https://a.example/x/v1/log_event");
        let with_own = resolved(|options| {
            api(options);
            own(options);
        });
        assert_eq!(
            with_own.unwrap(),
            [
                "https://s.example/v2/download_config_specs/secret-k.json",
                "POST http://i.example/lists",
                "https://f.example/",
                "https://l.example/v1/log_event",
            ]
        );
        let with_all = resolved(|options| {
            api(options);
            own(options);
            options.proxies.insert(NetworkEndpoint::All, http("sfp:8000"));
            options.proxies.insert(NetworkEndpoint::LogEvent, http("https://events:1/v1/"));
        });
        assert_eq!(
            with_all.unwrap(),
            [
                "http://sfp:8000/v2/download_config_specs/secret-k.json",
                "POST http://sfp:8000/v1/get_id_lists",
                "http://sfp:8000/",
                "https://events:1/v1/log_event",
            ]
        );
        let grpc = resolved(|options| {
            let config = ProxyConfig::new(NetworkProtocol::GrpcWebsocket, "sfp:50051");
            options.proxies.insert(NetworkEndpoint::All, config);
        });
        assert_eq!(grpc.unwrap(), resolved(|_| {}).unwrap());
    }

    #[test]
    fn a_second_address_of_specs_is_resolved_like_the_first() {
        let fallback = |text: &str| {
            let options = EndpointOptions { fallback_specs_url: Some(text.into()), ..EndpointOptions::default() };
            Endpoints::resolve(&options).map(|endpoints| endpoints.fallback_specs)
        };
        let address = fallback("https://b.example/v1/download_config_specs").unwrap().unwrap();
        assert_eq!((address.origin(), address.version), ("https://b.example/v1".to_owned(), SpecsVersion::V1));
        assert_eq!(fallback("null").unwrap(), None);
        let Err(Error::Misconfigured { problems }) = fallback("ftp://b") else { panic!() };
        assert!(problems[0].starts_with("`fallback_specs_url`: "), "{problems:?}");
    }

    #[test]
    fn the_vendors_servers_are_known_by_name() {
        for (url, expected) in [
            ("https://api.statsigcdn.com/v1/x", true),
            ("https://statsigapi.net", true),
            ("http://api.statsigcdn.com/v1/x", false),
            ("https://evilstatsig.com/x", false),
            ("https://statsig.com.example/x", false),
            ("https://idliststorage.blob.core.windows.net/x", false),
        ] {
            assert_eq!(is_statsig(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn hosts_of_the_vendor_are_known_whatever_the_scheme() {
        for (url, expected) in [
            ("http://api.statsigcdn.com/v1/x", true),
            ("https://statsigapi.net", true),
            ("https://prodregistryv2.org/v1/log_event", true),
            ("https://assets.featureassets.org./x", true),
            ("https://evilstatsig.com/x", false),
            ("https://statsigapi.net.example/x", false),
            ("http://127.0.0.1:8000", false),
        ] {
            assert_eq!(is_vendors(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn problems_are_bounded_and_show_no_key() {
        let error = parse(&format!("ftp://secret-AbCdEfGhIjKlMnOpQrSt/{}", "x".repeat(10_000)), "https").unwrap_err();
        assert!(error.len() < 300 && !error.contains("FgHiJ"), "{error}");
    }

    #[test]
    fn all_problems_are_listed() {
        let error = resolved(|options| {
            options.specs_url = Some("ftp://x".into());
            options.log_event_url = Some("https://user:pw@:0:".into());
            let mut proxy = http("sfp:8000");
            proxy.authentication_mode = AuthenticationMode::Mtls;
            options.proxies.insert(NetworkEndpoint::GetIdLists, proxy);
        });
        let Err(Error::Misconfigured { problems }) = error else { panic!() };
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(!problems.iter().any(|problem| problem.contains("pw")), "{problems:?}");
    }

    #[test]
    fn versions_are_whole_segments() {
        use SpecsVersion::{V1, V2};
        for (given, version) in [
            ("https://h/v1/download_config_specs", V1),
            ("https://h/v10/v2/download_config_specs", V2),
            ("https://h/v10/download_config_specs", V2),
            ("https://h/specs", V2),
        ] {
            assert_eq!(SpecsAddress::parse(given).unwrap().version, version, "{given}");
        }
        let below = SpecsAddress::below("https://h/v2/team", "https").unwrap();
        assert_eq!(below.as_v1().prefix.as_str(), "https://h/v2/team/v1/download_config_specs");
    }

    #[test]
    fn requests_name_the_version_held() {
        let address = SpecsAddress::statsig().unwrap();
        let key = SdkKey::new("secret-k");
        let url = |version: Option<SpecVersion>, proto: bool, deltas: bool| {
            let request = SpecRequest::new(version, SpecTrigger::Initial).with_protobuf(proto).with_deltas(deltas);
            address.request_url(&key, &request).query().map(str::to_owned)
        };
        assert_eq!(url(None, false, true), None);
        assert_eq!(url(Some(SpecVersion::new(0, Some("c"))), false, false), None);
        assert_eq!(url(Some(SpecVersion::new(7, None)), false, false).as_deref(), Some("sinceTime=7"));
        let both = url(Some(SpecVersion::new(7, Some("a&b"))), true, false);
        assert_eq!(both.as_deref(), Some("sinceTime=7&checksum=a%26b&supports_proto=true"));
        let delta = url(Some(SpecVersion::new(7, None)), true, true);
        assert_eq!(delta.as_deref(), Some("sinceTime=7&supports_proto=true&accept_deltas=true"));
        assert_eq!(address.origin(), "https://api.statsigcdn.com/v2");
        let v1 = SpecsAddress::below("h:1", "http").unwrap();
        assert_eq!((v1.version, v1.as_v1().origin()), (SpecsVersion::V2OrV1, "http://h:1/v1".to_owned()));
    }
}
