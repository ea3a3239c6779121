//! Which messages a worker handles: a tuple of types is the dispatch table.

use super::message::Typed;
use super::{Cx, Handle, Message, Worker, limits};
use bytes::Bytes;
use std::any::Any;
use swarm_base::codec;
use swarm_process::{CallFailure, Payload, ReplyTo, Wire};

/// The messages that a worker handles: a tuple of 1 to 16, for each of which the worker has an
/// `impl Handle<M>`. Implemented for tuples only.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of messages that `{W}` handles",
    note = "`type Accepts` is a tuple of 1 to 16 messages, for example `(Hello,)`"
)]
pub trait Accepts<W: Worker>: sealed::List + Send + 'static {
    /// The names of the messages, in the order of the list.
    const NAMES: &'static [&'static str];

    /// Hands a message to its handler, and the handler's reply to the caller.
    #[doc(hidden)]
    fn dispatch(
        worker: &mut W,
        payload: Payload,
        reply: &mut Option<ReplyTo>,
        cx: &mut Cx<W>,
    ) -> impl Future<Output = ()> + Send;
}

/// `M` stands in the list, at place `I`, which the compiler finds. It is the only bound that a
/// method needs: a list is one only where the worker handles all of it.
#[diagnostic::on_unimplemented(
    message = "`{M}` is not listed in this worker's `type Accepts`",
    note = "add `{M}` to the worker's `type Accepts`"
)]
pub trait Has<M, I>: sealed::List {}

/// A place in a list of messages, counted from 0.
#[derive(Clone, Copy, Debug)]
pub struct At<const N: usize>;

/// In no list: see below.
enum Nothing {}

/// With one candidate only, the compiler would conclude that every message is that one, and say
/// that the types differ; with two it looks at the message and says that it is not listed.
impl<A: Message> Has<Nothing, At<16>> for (A,) {}

mod sealed {
    #[expect(unnameable_types, reason = "sealed: nobody else implements it")]
    pub trait List {}
}

/// Implements the traits for one length.
macro_rules! list {
    ($($M:ident $N:literal),+) => {
        impl<$($M: Message),+> sealed::List for ($($M,)+) {}

        impl<W: Worker $(+ Handle<$M>)+, $($M: Message),+> Accepts<W> for ($($M,)+) {
            const NAMES: &'static [&'static str] = &[$($M::NAME),+];

            async fn dispatch(
                worker: &mut W,
                payload: Payload,
                reply: &mut Option<ReplyTo>,
                cx: &mut Cx<W>,
            ) {
                let wire = match payload {
                    Payload::Local(parcel) => {
                        let value: &dyn Any = &*parcel;
                        $(if value.is::<Typed<$M>>() {
                            let value = parcel.into_any().downcast::<Typed<$M>>();
                            let value = value.expect("its type was just looked at");
                            return answer(worker, value, reply, cx).await;
                        })+
                        // Another type, perhaps of the same name: it says the same on the wire.
                        match parcel.encode() {
                            Ok(body) => Box::new(Wire { message: parcel.name().into(), body }),
                            Err(e) => return fail(reply, undecodable(e), cx),
                        }
                    }
                    Payload::Wire(wire) => wire,
                };
                $(if *wire.message == *$M::NAME {
                    return match codec::decode::<$M>(&wire.body, limits::MESSAGE) {
                        Ok(value) => answer(worker, Box::new(Typed(value)), reply, cx).await,
                        Err(e) => fail(reply, undecodable(e), cx),
                    };
                })+
                fail(reply, CallFailure::NotHandled { message: wire.message.into() }, cx);
            }
        }

        list!(@has ($($M)+) $($M $N),+);
    };
    (@has $all:tt $($M:ident $N:literal),+) => {
        $(list!(@one $all $M $N);)+
    };
    (@one ($($M:ident)+) $T:ident $N:literal) => {
        impl<$($M: Message),+> Has<$T, At<$N>> for ($($M,)+) {}
    };
}

list!(A 0);
list!(A 0, B 1);
list!(A 0, B 1, C 2);
list!(A 0, B 1, C 2, D 3);
list!(A 0, B 1, C 2, D 3, E 4);
list!(A 0, B 1, C 2, D 3, E 4, F 5);
list!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
list!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
list!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, J 8);
list!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, J 8, K 9);
list!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, J 8, K 9, L 10);
list!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, J 8, K 9, L 10, M 11);
list!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, J 8, K 9, L 10, M 11, N 12);
list!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, J 8, K 9, L 10, M 11, N 12, O 13);
list!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, J 8, K 9, L 10, M 11, N 12, O 13, P 14);
list!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, J 8, K 9, L 10, M 11, N 12, O 13, P 14, Q 15);

/// Handles a message and answers its caller.
///
/// The message stays in its box until the handler takes it: every future on the way would
/// otherwise hold room for it.
async fn answer<W: Handle<M>, M: Message>(
    worker: &mut W,
    message: Box<Typed<M>>,
    reply: &mut Option<ReplyTo>,
    cx: &mut Cx<W>,
) {
    let value = worker.handle(message.0, cx).await;
    if let Some(reply) = reply.take() {
        reply.answer(value, |value| codec::encode(value).map(Bytes::from));
    }
}

/// Tells the caller, or counts the message where there is none.
fn fail<W: Worker>(reply: &mut Option<ReplyTo>, failure: CallFailure, cx: &Cx<W>) {
    match reply.take() {
        Some(reply) => reply.fail(failure),
        None => cx.count_unhandled(),
    }
}

fn undecodable(error: impl std::fmt::Display) -> CallFailure {
    CallFailure::Undecodable { reason: error.to_string() }
}
