"""News to patients by mail: who wants which, when, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from backend.notices.contact_book import ContactBook
from backend.notices.contact_types import ALWAYS, KIND_OF_TOPIC, Contact
from backend.notices.delivering import Deliveries
from backend.notices.letters import Letter, LetterName, Writer, new_id
from backend.notices.news import News, digest
from backend.notices.ports import MailSender
from backend.notices.types import Delivery, Failure, Fault, Message, Topic
from backend.types import SubjectId, UnixSeconds

DAY_SECONDS: Final = 24 * 3600
DIGEST_SECOND: Final = 6 * 3600  # of the day after, UTC, at which the accesses of a day are told


class Letterbox:
    """Takes letters to be sent. The same name and key of a patient again changes nothing."""

    def __init__(self, *, deliveries: Deliveries, clock: Callable[[], int]) -> None:
        self._deliveries = deliveries
        self._clock = clock

    def post(self, topic: Topic, *, subject: SubjectId, key: str, not_before: int = 0) -> None:
        """Send to the address that the patient has when it is sent."""
        written_at = UnixSeconds(max(self._clock(), not_before))
        self._put(Letter(topic, new_id(), written_at), subject, key)

    def post_to(
        self,
        address: str,
        name: LetterName,
        *,
        subject: SubjectId,
        language: str,
        key: str,
        code: str = "",
        until: int = 0,
    ) -> None:
        """Send to this address, whatever becomes of the patient's choice."""
        now = UnixSeconds(self._clock())
        self._put(Letter(name, new_id(), now, address, language, code, until), subject, key)

    def _put(self, letter: Letter, subject: SubjectId, key: str) -> None:
        receiver = f"{subject:024x}"
        self._deliveries.put(
            Message(
                message_id=f"mail_{digest(letter.name, key, receiver)}",
                receiver=receiver,
                topic=letter.name,
                body=letter.encode(),
                not_before=letter.written_at,
            )
        )


class Mailing:
    """Implements ``backend.notices.audience.Patients``."""

    def __init__(self, *, book: ContactBook, letterbox: Letterbox) -> None:
        self._book = book
        self._letterbox = letterbox

    def tell(self, news: News) -> None:
        if not _wanted(self._book.active(news.subject), news.topic):
            return
        if news.topic is Topic.ACCESS_RECORDED and not news.each_time:
            # One mail for all of a day, at an hour that tells nothing of when they were.
            day = news.at // DAY_SECONDS
            at = (day + 1) * DAY_SECONDS + DIGEST_SECOND
            self._letterbox.post(news.topic, subject=news.subject, key=f"day/{day}", not_before=at)
        else:
            self._letterbox.post(news.topic, subject=news.subject, key=news.key)


class NoMail:
    """Implements ``backend.notices.audience.Patients`` where no mail server is set."""

    def tell(self, news: News) -> None:
        """Patients see it when they sign in."""


class MailChannel:
    """Implements ``backend.notices.ports.Channel``."""

    name: Final = "mail"
    lease_seconds: Final = 45

    def __init__(
        self, *, book: ContactBook, writer: Writer, sender: MailSender, clock: Callable[[], int]
    ) -> None:
        self._book = book
        self._writer = writer
        self._sender = sender
        self._clock = clock

    def owner(self, receiver: str) -> SubjectId | None:
        return SubjectId(int(receiver, 16))

    def send(self, delivery: Delivery, body: bytes) -> Failure | None:
        subject = SubjectId(int(delivery.receiver, 16))
        letter = Letter.decode(body)
        if letter.until and self._clock() >= letter.until:
            return Failure("expired", Fault.MESSAGE, for_good=True)
        if letter.to:
            to, language, token = letter.to, letter.language, ""
        else:
            contact = self._book.active(subject)
            if contact is None or not _wanted(contact, Topic(letter.name)):
                return Failure("not_wanted", Fault.MESSAGE, for_good=True)
            to, language, token = contact.wish.address, contact.wish.language, contact.token
        content = self._writer.compose(letter, to=to, language=language, token=token)
        failure = self._sender.send(to, content)
        if failure is not None and failure.for_good and failure.fault is Fault.RECEIVER:
            self._book.refused(subject, to)
        return failure


def _wanted(contact: Contact | None, topic: Topic) -> bool:
    return contact is not None and (topic in ALWAYS or KIND_OF_TOPIC[topic] in contact.wish.kinds)
