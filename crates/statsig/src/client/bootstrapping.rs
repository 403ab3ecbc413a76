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
    /// it, [`append_client_initialize_response`](Self::append_client_initialize_response) is cheaper.
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
        self.append_client_initialize_response(user, options, &mut text);
        // What is written is text.
        String::from_utf8(text).unwrap_or_default()
    }

    /// Appends the response to a buffer, and returns what cannot be seen in it. The cheapest way for a server that
    /// keeps the buffer.
    ///
    /// The first response after an update of the specs encodes the parts that are the same for every user, for each
    /// hash algorithm that is used; later ones copy that text. For its memory and the other costs see
    /// [`EvaluationContext::append_client_initialize_response`].
    ///
    /// ```
    /// use statsig::{ClientInitializeOptions, Statsig, StatsigUser};
    ///
    /// # let specs = br#"{"has_updates": true, "time": 1, "dynamic_configs": {}, "layer_configs": {},
    /// #                  "condition_map": {}, "feature_gates": {}}"#;
    /// let statsig = Statsig::builder().bootstrap(specs).build()?;
    /// let options = ClientInitializeOptions::new();
    /// let mut body = Vec::new();
    /// for id in ["user-1", "user-2"] {
    ///     body.clear();
    ///     statsig.append_client_initialize_response(&StatsigUser::with_user_id(id), &options, &mut body);
    ///     assert!(body.starts_with(b"{\"feature_gates\":"));
    /// }
    /// # Ok::<(), statsig::Error>(())
    /// ```
    pub fn append_client_initialize_response(
        &self,
        user: &StatsigUser,
        options: &ClientInitializeOptions,
        out: &mut Vec<u8>,
    ) -> ClientInitializeSummary {
        let snapshot = self.inner.specs.load();
        let context = self.inner.context(&snapshot, user);
        context.append_client_initialize_response(options, Some(&self.inner.sdk_info), out)
    }

    /// Writes the response in pieces of some kilobytes, as its entries are evaluated, and returns what cannot be seen
    /// in it.
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
