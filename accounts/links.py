"""Signed join links: who may enter which visit, in which role, from when until when."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import sha256
from typing import Literal

import msgspec

TAG_BYTES = 16
MAX_CHARACTERS = 2048


class LinkError(Exception):
    """A link that lets nobody in. `code` is `link_invalid`, `link_expired` or `link_not_yet`."""

    def __init__(self, code: Literal["link_invalid", "link_expired", "link_not_yet"]) -> None:
        super().__init__(code)
        self.code = code


class JoinLink(msgspec.Struct, frozen=True, array_like=True):
    """What a link grants. Times are Unix seconds."""

    visit: str
    role: str
    subject: str | None
    not_before_s: int
    expires_s: int
    id: str


class LinkSigner:
    """Signs and checks links with HMAC-SHA256 (128 bits of it) under a key of its own."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"parvis join link 1", sha256)

    def sign(self, link: JoinLink) -> str:
        """Return the token of a link, safe in a URL."""
        body = msgspec.json.encode(link)
        return urlsafe_b64encode(hmac.digest(self._key, body, sha256)[:TAG_BYTES] + body).decode().rstrip("=")

    def verify(self, token: str, now_s: float) -> JoinLink:
        """Return what a token grants now; raises LinkError."""
        try:
            if len(token) > MAX_CHARACTERS:
                raise LinkError("link_invalid")
            data = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
            if urlsafe_b64encode(data).decode().rstrip("=") != token:
                raise LinkError("link_invalid")  # one token, one spelling: the decoder skips what it does not know
            tag, body = data[:TAG_BYTES], data[TAG_BYTES:]
            if not hmac.compare_digest(tag, hmac.digest(self._key, body, sha256)[:TAG_BYTES]):
                raise LinkError("link_invalid")
            link = msgspec.json.decode(body, type=JoinLink)
        except (Base64Error, ValueError, msgspec.MsgspecError) as error:
            raise LinkError("link_invalid") from error
        if now_s < link.not_before_s:
            raise LinkError("link_not_yet")
        if now_s > link.expires_s:
            raise LinkError("link_expired")
        return link
