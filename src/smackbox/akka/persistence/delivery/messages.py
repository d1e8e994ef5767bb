"""What producers, consumers and their controllers tell each other (Pekko's `akka.delivery`)."""

from __future__ import annotations

from typing import Any

from smackbox.akka.actor.record import record
from smackbox.akka.actor.ref import ActorRef


@record
class Start:
    """From a producer or consumer to its controller: here I am."""

    ref: ActorRef[Any]


@record
class RequestNext:
    """To a producer: send one message to `send_next_to`, or a `MessageWithConfirmation`."""

    producer_id: str
    current_seq_nr: int
    confirmed_seq_nr: int
    send_next_to: ActorRef[Any]


@record
class MessageWithConfirmation:
    """`reply_to` gets the sequence number once the message is confirmed; with a durable queue, once it is stored."""

    message: Any
    reply_to: ActorRef[int]


@record
class RegisterConsumer:
    """To a producer's controller: this consumer's controller takes its messages from here on."""

    consumer_controller: ActorRef[Any]


@record
class RegisterToProducerController:
    """To a consumer's controller: take messages from this producer's controller. It registers until one comes."""

    producer_controller: ActorRef[Any]


@record
class SequencedMessage:
    """Between controllers. `first`: of a producer that the consumer does not know yet. `ack`: confirm at once."""

    producer_id: str
    seq_nr: int
    message: Any
    first: bool
    ack: bool
    producer_controller: ActorRef[Any]


@record
class Request:
    """To a producer's controller: all up to `confirmed_seq_nr` were handled; send up to `up_to_seq_nr`."""

    confirmed_seq_nr: int
    up_to_seq_nr: int
    via_timeout: bool = False


@record
class Ack:
    """To a producer's controller: all up to here were handled."""

    confirmed_seq_nr: int


@record
class Resend:
    """To a producer's controller: something is missing; send again from here."""

    from_seq_nr: int


@record
class Delivery:
    """To a consumer: handle the message, then tell `confirm_to` `CONFIRMED`. The next one comes after that."""

    message: Any
    confirm_to: ActorRef[Any]
    producer_id: str
    seq_nr: int


@record
class Confirmed:
    """From a consumer: the message was handled."""


CONFIRMED = Confirmed()
