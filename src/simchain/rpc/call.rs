//! One call: decodes the request, lets the active faults have their way, runs the handler and
//! encodes the answer. What the answer is does not concern it.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use prost::Message;
use tonic::{
    Request, Response, Status, body::BoxBody, codec::ProstCodec, codegen::http, server::Grpc,
};

use crate::{faults::StreamOrder, node::Node};

/// Longest request: the longest block item is half of it.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// What a streaming handler answers with.
pub(crate) type Items<T> = Pin<Box<dyn Stream<Item = T> + Send>>;
/// What a handler answers with.
type Answer<A> = Result<Response<A>, Status>;
/// What is sent of a stream.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A call that arrived.
pub(crate) struct Call {
    pub(crate) node: Arc<Node>,
    pub(crate) method: String,
    pub(crate) request: http::Request<BoxBody>,
}

impl Call {
    /// Answers with one message.
    pub(crate) async fn unary<Q, A>(
        self,
        handler: fn(&Node, Q) -> Answer<A>,
    ) -> http::Response<BoxBody>
    where
        Q: Message + Default + 'static,
        A: Message + Default + 'static,
    {
        let Self { node, method, request } = self;
        let service = tower::service_fn(move |request: Request<Q>| {
            let (node, method) = (Arc::clone(&node), method.clone());
            async move {
                node.faults.call(&method).await?;
                handler(&node, request.into_inner())
            }
        });
        grpc().unary(service, request).await
    }

    /// Answers with one message that takes long to compute.
    pub(crate) async fn unary_blocking<Q, A>(
        self,
        handler: fn(&Node, Q) -> Answer<A>,
    ) -> http::Response<BoxBody>
    where
        Q: Message + Default + 'static,
        A: Message + Default + 'static,
    {
        let Self { node, method, request } = self;
        let service = tower::service_fn(move |request: Request<Q>| {
            let (node, method) = (Arc::clone(&node), method.clone());
            async move {
                node.faults.call(&method).await?;
                let work = move || handler(&node, request.into_inner());
                tokio::task::spawn_blocking(work)
                    .await
                    .map_err(|_| Status::internal("the call was not finished"))?
            }
        });
        grpc().unary(service, request).await
    }

    /// Answers with a stream of messages, to which the faults of streams apply.
    pub(crate) async fn stream<Q, A>(
        self,
        handler: fn(&Node, Q) -> Answer<Items<A>>,
    ) -> http::Response<BoxBody>
    where
        Q: Message + Default + 'static,
        A: Message + Default + 'static,
    {
        let Self { node, method, request } = self;
        let service = tower::service_fn(move |request: Request<Q>| {
            let (node, method) = (Arc::clone(&node), method.clone());
            async move {
                node.faults.call(&method).await?;
                let response = handler(&node, request.into_inner())?;
                Ok::<_, Status>(response.map(|items| disturbed(node, items)))
            }
        });
        grpc().server_streaming(service, request).await
    }

    pub(crate) fn unimplemented(self) -> http::Response<BoxBody> {
        Status::unimplemented(format!("{} is not simulated.", self.method)).into_http()
    }
}

fn grpc<Q, A>() -> Grpc<ProstCodec<A, Q>>
where
    Q: Message + Default + 'static,
    A: Message + Default + 'static,
{
    Grpc::new(ProstCodec::default()).max_decoding_message_size(REQUEST_BYTES_MAX)
}

/// The items of a stream, as far as the active faults let them pass.
fn disturbed<A: Send + 'static>(node: Arc<Node>, items: Items<A>) -> Answers<A> {
    let changes = node.faults.watch();
    let place = *changes.borrow();
    let state = Some((node, items, changes));
    Box::pin(futures::stream::unfold(state, move |state| async move {
        let (node, mut items, mut changes) = state?;
        loop {
            // Seen before the faults are asked, so that a change after that wakes the wait.
            changes.borrow_and_update();
            match node.faults.stream(place) {
                StreamOrder::End => return None,
                StreamOrder::Fail(status) => return Some((Err(status), None)),
                StreamOrder::Stall(Some(until_ms)) => tokio::select! {
                    () = node.clock.sleep_until(until_ms) => {}
                    _ = changes.changed() => {}
                },
                StreamOrder::Stall(None) => {
                    // The node outlives the stream, so the wait cannot fail.
                    let _ = changes.changed().await;
                }
                StreamOrder::Flow => tokio::select! {
                    biased;
                    _ = changes.changed() => {}
                    item = items.next() => {
                        return Some((Ok(item?), Some((node, items, changes))));
                    }
                },
            }
        }
    }))
}
