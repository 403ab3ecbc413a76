//! An event in the queue.

use std::sync::Arc;

use statsig_core::{EvaluationSettings, StatsigUser};

use super::compact_exposure::CompactExposure;
use super::exposure_detail::ExposureDetail;
use super::json;
use crate::event::QueuedEvent;

/// What waits in the queue: an exposure in four words, or a custom event.
#[derive(Debug)]
pub(super) enum LoggedEvent {
    Exposure(LoggedExposure),
    Compact(CompactExposure),
    Custom(Box<LoggedCustom>),
}

/// A user, what the user was exposed to, and when. All else is shared with the exposures of other
/// users.
#[derive(Debug)]
pub(super) struct LoggedExposure {
    pub(super) user: StatsigUser,
    pub(super) detail: Arc<ExposureDetail>,
    pub(super) time_ms: i64,
    /// The detail was written for this one.
    pub(super) is_first: bool,
}

/// An event of the application's, or of the logger's own, which has no user.
#[derive(Debug)]
pub(super) struct LoggedCustom {
    pub(super) head: Box<[u8]>,
    pub(super) user: Option<StatsigUser>,
    pub(super) surroundings: Arc<Surroundings>,
    pub(super) time_ms: i64,
}

/// What events say of users beside what users say of themselves.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) settings: Arc<EvaluationSettings>,
    pub(super) default_environment: Option<String>,
    /// End of the JSON of a user without an environment of its own, from the comma before the
    /// environment; empty if there is none, or if it is not known.
    environment: Box<[u8]>,
}

impl Surroundings {
    pub(super) fn new(settings: Arc<EvaluationSettings>, default_environment: Option<String>) -> Self {
        let mut surroundings = Self { settings, default_environment, environment: Box::default() };
        let mut text = Vec::new();
        surroundings.write_user(&mut text, &StatsigUser::new());
        // Global custom fields come before the environment.
        if let Some(environment) = text.strip_prefix(b"{").filter(|text| text.starts_with(b"\"statsigEnvironment\":")) {
            surroundings.environment = [b",", environment].concat().into();
        }
        surroundings
    }

    pub(super) fn environment(&self) -> &[u8] {
        &self.environment
    }

    pub(super) fn write_user(&self, out: &mut Vec<u8>, user: &StatsigUser) {
        json::write(out, &user.as_logged(&self.settings, self.default_environment.as_deref()));
    }
}

impl QueuedEvent for LoggedEvent {
    fn is_exposure(&self) -> bool {
        matches!(self, Self::Exposure(_) | Self::Compact(_))
    }

    fn cost_bytes(&self) -> usize {
        let own = match self {
            Self::Exposure(exposure) => {
                let detail = if exposure.is_first { exposure.detail.memory_bytes() } else { 0 };
                exposure.user.memory_bytes() + detail
            }
            Self::Compact(exposure) => {
                let detail = if exposure.is_first() { exposure.detail.memory_bytes() } else { 0 };
                exposure.packed_bytes() + detail
            }
            Self::Custom(custom) => {
                let user = custom.user.as_ref().map_or(0, StatsigUser::memory_bytes);
                size_of::<LoggedCustom>() + custom.head.len() + user
            }
        };
        size_of::<Self>() + own
    }

    fn compact(&mut self) {
        let Self::Exposure(exposure) = self else { return };
        let Some(compact) = CompactExposure::new(exposure).map(Self::Compact) else { return };
        if compact.cost_bytes() < self.cost_bytes() {
            *self = compact;
        }
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Compact(exposure) => {
                out.extend_from_slice(exposure.detail.head());
                exposure.write_user(out);
                out.extend_from_slice(b",\"time\":");
                exposure.write_time(out);
                out.extend_from_slice(exposure.detail.tail());
            }
            Self::Exposure(exposure) => {
                let detail = &*exposure.detail;
                out.extend_from_slice(detail.head());
                detail.surroundings().write_user(out, &exposure.user);
                out.extend_from_slice(b",\"time\":");
                json::write(out, &exposure.time_ms);
                out.extend_from_slice(detail.tail());
            }
            Self::Custom(custom) => {
                out.extend_from_slice(&custom.head);
                match &custom.user {
                    Some(user) => custom.surroundings.write_user(out, user),
                    None => out.extend_from_slice(b"{}"),
                }
                out.extend_from_slice(b",\"time\":");
                json::write(out, &custom.time_ms);
                out.extend_from_slice(b",\"secondaryExposures\":null}");
            }
        }
    }
}

/// What the queue holds of an exposure, beyond user and detail.
const _: () = assert!(size_of::<LoggedEvent>() <= 32);

#[cfg(test)]
mod tests {
    use statsig_core::StatsigUserBuilder;

    use super::*;

    const TWENTY: &str = "12345678901234567890";

    fn logged(user: &StatsigUser, surroundings: &Arc<Surroundings>, is_first: bool) -> LoggedEvent {
        let detail = Arc::new(ExposureDetail::of_parts(b"{\"user\":", b"}", Arc::clone(surroundings)));
        LoggedEvent::Exposure(LoggedExposure { user: user.clone(), detail, time_ms: 1_790_000_000_000, is_first })
    }

    fn json(event: &LoggedEvent) -> String {
        let mut out = Vec::new();
        event.write_json(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn all_surroundings() -> [Arc<Surroundings>; 4] {
        let plain = EvaluationSettings::new();
        let staging = EvaluationSettings::new().with_environment("staging");
        let global =
            EvaluationSettings::new().with_environment("staging").with_global_custom_fields([("region", "eu")]);
        [(plain.clone(), None), (plain, Some("qa".to_owned())), (staging, None), (global, None)]
            .map(|(settings, default)| Arc::new(Surroundings::new(Arc::new(settings), default)))
    }

    #[test]
    fn a_compact_exposure_has_the_same_json() {
        let builders: [fn(StatsigUserBuilder) -> StatsigUserBuilder; 5] = [
            |user| user,
            |user| user.user_id("u\"\u{e9}"),
            |user| user.user_id("u").environment_tier("staging"),
            |user| user.custom_id("companyID", 7).custom("level", 3).custom("region", "us"),
            |user| user.user_id("u").private_attribute("secret", "s3cret"),
        ];
        for surroundings in all_surroundings() {
            for (build, is_first) in builders.into_iter().flat_map(|build| [(build, true), (build, false)]) {
                let mut event = logged(&build(StatsigUser::builder()).build(), &surroundings, is_first);
                let (text, bytes) = (json(&event), event.cost_bytes());
                event.compact();
                assert!(matches!(event, LoggedEvent::Compact(_)) && event.is_exposure());
                assert_eq!(json(&event), text);
                assert!(event.cost_bytes() < bytes && !text.contains("s3cret"), "{text}");
            }
        }
    }

    #[test]
    fn a_quarter_of_a_million_users_with_six_fields_fit_into_the_default_bounds() {
        let options = crate::PipelineOptions::default();
        assert!(options.queue_events >= 250_000);
        let named = StatsigUser::builder().user_id(TWENTY).email(TWENTY).ip(TWENTY);
        let named = named.user_agent(TWENTY).country(TWENTY).locale(TWENTY).build();
        let custom = ["a_field", "b_field", "c_field", "d_field", "e_field"];
        let custom =
            custom.into_iter().fold(StatsigUser::builder().user_id(TWENTY), |user, name| user.custom(name, TWENTY));
        for surroundings in all_surroundings().into_iter().take(3) {
            for user in [named.clone(), custom.clone().build()] {
                let mut event = logged(&user, &surroundings, false);
                event.compact();
                assert!(event.cost_bytes() * 250_000 <= options.queue_bytes, "{} bytes", event.cost_bytes());
            }
        }
    }

    #[test]
    fn an_exposure_with_a_time_that_does_not_fit_stays_as_it_is() {
        for (time_ms, fits) in [(i64::MAX, false), (i64::MIN, false), (-1, true), (0, true)] {
            let mut event = logged(&StatsigUser::with_user_id("u"), &all_surroundings()[0], true);
            if let LoggedEvent::Exposure(exposure) = &mut event {
                exposure.time_ms = time_ms;
            }
            let text = json(&event);
            event.compact();
            assert_eq!((matches!(event, LoggedEvent::Compact(_)), json(&event)), (fits, text));
        }
    }

    #[test]
    fn an_exposure_that_would_grow_stays_as_it_is() {
        let surroundings = &all_surroundings()[0];
        let mut event = logged(&StatsigUser::with_user_id("\u{1}".repeat(1_000)), surroundings, false);
        event.compact();
        assert!(matches!(event, LoggedEvent::Exposure(_)));
    }
}
