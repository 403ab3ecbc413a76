//! Stands for the disk in builds without a spool: there is none.

use std::convert::Infallible;
use std::time::Duration;

use super::queue::Queue;
use crate::batch::BatchLimits;

#[derive(Debug)]
pub(super) struct Disk(Infallible);

impl Disk {
    pub(super) fn writes_ahead(&self) -> bool {
        match self.0 {}
    }

    pub(super) fn sync_interval(&self) -> Option<Duration> {
        match self.0 {}
    }

    pub(super) fn work<E>(&self, _: &Queue<E>) {
        match self.0 {}
    }

    pub(super) fn last_stand<E>(&self, _: &Queue<E>, _: &BatchLimits, _: i64) {
        match self.0 {}
    }
}
