//! Call events on their way to the control plane: written from where the gateway keeps them until they are acknowledged,
//! not from a copy.

use crate::wire::{Ack, Events};
use prost::Message;
use std::sync::Arc;
use tonic::Status;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic_prost::ProstDecoder;

/// The codec of `Record`: as the generated one on the wire.
#[derive(Default)]
pub(crate) struct EventsCodec;

/// See [`EventsCodec`].
pub(crate) struct EventsEncoder;

impl Codec for EventsCodec {
    type Encode = Arc<Events>;
    type Decode = Ack;
    type Encoder = EventsEncoder;
    type Decoder = ProstDecoder<Ack>;

    fn encoder(&mut self) -> EventsEncoder {
        EventsEncoder
    }

    fn decoder(&mut self) -> ProstDecoder<Ack> {
        ProstDecoder::default()
    }
}

impl Encoder for EventsEncoder {
    type Item = Arc<Events>;
    type Error = Status;

    fn encode(&mut self, events: Arc<Events>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        events.encode(out).map_err(|_| Status::internal("no room for call events"))
    }
}
