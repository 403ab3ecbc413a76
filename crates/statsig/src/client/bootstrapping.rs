//! Everything at once, for client SDKs to start with.

use std::io;

use statsig_core::{
    ClientInitializeOptions, ClientInitializeResponse, ClientInitializeSummary, EvaluationContext, StatsigUser,
};

use super::Statsig;

impl Statsig {
    /// Evaluates all that a client SDK may ask, for one user, as `/v1/initialize` would: see
    /// `docs/protocol/client-initialize.md`. Logs no exposure.
    ///
    /// The response serializes as what a client SDK takes, and its entries can be looked at. To send
    /// it, [`write_client_initialize_response`](Self::write_client_initialize_response) is cheaper.
    #[must_use]
    pub fn get_client_initialize_response(
        &self,
        user: &StatsigUser,
        options: &ClientInitializeOptions,
    ) -> ClientInitializeResponse {
        self.respond(user, options, |context, options| context.client_initialize_response(options))
    }

    /// Like [`get_client_initialize_response`](Self::get_client_initialize_response), as JSON text.
    #[must_use]
    pub fn get_client_initialize_response_as_string(
        &self,
        user: &StatsigUser,
        options: &ClientInitializeOptions,
    ) -> String {
        let mut text = Vec::new();
        // Writing to memory cannot fail, and what is written is text.
        let _ = self.write_client_initialize_response(user, options, &mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    /// Writes the response entry by entry, and returns what cannot be seen in it. Wrap a socket or a
    /// file in a `BufWriter`.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_client_initialize_response(
        &self,
        user: &StatsigUser,
        options: &ClientInitializeOptions,
        out: impl io::Write,
    ) -> io::Result<ClientInitializeSummary> {
        self.respond(user, options, |context, options| context.write_client_initialize_response(options, out))
    }

    fn respond<R>(
        &self,
        user: &StatsigUser,
        options: &ClientInitializeOptions,
        respond: impl FnOnce(&EvaluationContext<'_>, &ClientInitializeOptions) -> R,
    ) -> R {
        let snapshot = self.inner.specs.load();
        let context = self.inner.context(&snapshot, user);
        if options.sdk_info.is_some() {
            return respond(&context, options);
        }
        respond(&context, &options.clone().with_sdk_info(self.inner.sdk_info.clone()))
    }
}
