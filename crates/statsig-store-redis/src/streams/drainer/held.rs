//! Who holds what.

use redis::{Value, cmd};
use statsig_adapters::DataStoreError;

use super::{HeldBatches, Inner};
use crate::error::malformed;
use crate::link::Deadline;
use crate::op::Op;

impl Inner {
    /// What drainers hold in a shard.
    pub(super) async fn held(&self, shard: u16, deadline: Deadline) -> Result<Vec<HeldBatches>, DataStoreError> {
        let name = self.name(shard);
        let mut summary = cmd("XPENDING");
        summary.arg(&name).arg(&self.options.group);
        // How many, the first, the last, and how many each drainer has.
        type Summary = (u64, Value, Value, Option<Vec<(String, u64)>>);
        let summary: Summary = match self.link.attempt(Op::Count, &summary, deadline).await {
            Ok(summary) => summary,
            Err(failure) if failure.code() == Some("NOGROUP") => return Ok(Vec::new()),
            Err(failure) => return Err(failure.into_error(Op::Count)),
        };
        let mut held = Vec::new();
        for (consumer, batches) in summary.3.unwrap_or_default() {
            let mut first = cmd("XPENDING");
            first.arg(&name).arg(&self.options.group).arg("-").arg("+").arg(1).arg(&consumer);
            let first: Vec<Value> = self.link.query(Op::Count, &first, deadline).await?;
            // It may have settled everything meanwhile.
            let Some(first) = first.into_iter().next() else { continue };
            let Value::Array(parts) = first else { return Err(malformed("an unusual answer about held events")) };
            let oldest = parts.into_iter().next().and_then(|place| redis::from_redis_value(place).ok());
            let oldest = oldest.ok_or_else(|| malformed("an unusual answer about held events"))?;
            held.push(HeldBatches { consumer, shard, batches, oldest });
        }
        Ok(held)
    }
}
