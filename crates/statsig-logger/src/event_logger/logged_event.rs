//! An event in the queue.

use std::sync::Arc;

use statsig_core::{EvaluationSettings, StatsigUser};

use super::exposure_detail::ExposureDetail;
use super::json;
use crate::event::QueuedEvent;

/// What waits in the queue: an exposure in four words, or a custom event.
#[derive(Debug)]
pub(super) enum LoggedEvent {
    Exposure(LoggedExposure),
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
}

impl Surroundings {
    fn write_user(&self, out: &mut Vec<u8>, user: &StatsigUser) {
        json::write(out, &user.as_logged(&self.settings, self.default_environment.as_deref()));
    }
}

impl QueuedEvent for LoggedEvent {
    fn is_exposure(&self) -> bool {
        matches!(self, Self::Exposure(_))
    }

    fn cost_bytes(&self) -> usize {
        let own = match self {
            Self::Exposure(exposure) => {
                let detail = if exposure.is_first { exposure.detail.memory_bytes() } else { 0 };
                exposure.user.memory_bytes() + detail
            }
            Self::Custom(custom) => {
                let user = custom.user.as_ref().map_or(0, StatsigUser::memory_bytes);
                size_of::<LoggedCustom>() + custom.head.len() + user
            }
        };
        size_of::<Self>() + own
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
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
