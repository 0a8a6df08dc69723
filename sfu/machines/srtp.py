"""SRTP and SRTCP (RFC 3711) with AES-GCM (RFC 7714), and with HMAC-SHA1 through libsrtp for clients without it.

Written for the interpreter: `parvis bench forwarding` measures it. A packet index is the 48-bit number of RFC 3711
section 3.3.1 (rollover counter and sequence number), which the callers keep as an unwrapped sequence number.
"""

from __future__ import annotations

from dataclasses import dataclass

import pylibsrtp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sfu.errors import MalformedPacketError
from sfu.serial import unwrap

REPLAY_WINDOW = 1024
MAX_SSRCS = 64
MAX_BYTES = 2048
"""The longest packet that is looked at, that of libsrtp's Python binding; nothing honest comes near it."""
TAG_BYTES = 16
SHA1_80_TAG_BYTES = 10
_WINDOW_MASK = (1 << REPLAY_WINDOW) - 1


class SrtpError(MalformedPacketError):
    """A packet that is not let in."""


class AuthenticationError(SrtpError):
    """The tag is wrong."""


class ReplayError(SrtpError):
    """The packet was seen before, or is too old to know."""


@dataclass(slots=True, frozen=True)
class Profile:
    """A DTLS-SRTP protection profile."""

    identifier: int
    name: str
    openssl_name: bytes
    key_bytes: int
    salt_bytes: int
    is_gcm: bool


AEAD_AES_128_GCM = Profile(7, "AEAD_AES_128_GCM", b"SRTP_AEAD_AES_128_GCM", 16, 12, is_gcm=True)
AEAD_AES_256_GCM = Profile(8, "AEAD_AES_256_GCM", b"SRTP_AEAD_AES_256_GCM", 32, 12, is_gcm=True)
AES128_CM_HMAC_SHA1_80 = Profile(1, "AES128_CM_HMAC_SHA1_80", b"SRTP_AES128_CM_SHA1_80", 16, 14, is_gcm=False)
PROFILES = (AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES128_CM_HMAC_SHA1_80)
"""In order of our preference."""


@dataclass(slots=True, frozen=True)
class SrtpKeys:
    """Master keys and salts of both directions."""

    profile: Profile
    local_key: bytes
    local_salt: bytes
    remote_key: bytes
    remote_salt: bytes


def keys_from_exporter(profile: Profile, material: bytes, *, is_server: bool) -> SrtpKeys:
    """Cut exported keying material into keys and salts (RFC 5764 section 4.2)."""
    key, salt = profile.key_bytes, profile.salt_bytes
    client = material[:key], material[2 * key : 2 * key + salt]
    server = material[key : 2 * key], material[2 * key + salt : 2 * (key + salt)]
    local, remote = (server, client) if is_server else (client, server)
    return SrtpKeys(profile, *local, *remote)


def derive(master_key: bytes, master_salt: bytes, label: int, length: int) -> bytes:
    """Derive a session key or salt (RFC 3711 section 4.3.1, key derivation rate 0)."""
    salt = int.from_bytes(master_salt.ljust(14, b"\0"), "big")
    counter = (salt ^ label << 48) << 16
    cipher = Cipher(algorithms.AES(master_key), modes.CTR(counter.to_bytes(16, "big"))).encryptor()
    return cipher.update(bytes(length))


class GcmOutStream:
    """Sealing of one SSRC with AES-GCM. The hot path inlines `nonce_base` and `encrypt_into`."""

    __slots__ = ("encrypt_into", "nonce_base")

    def __init__(self, cipher: AESGCM, salt: int, ssrc: int) -> None:
        self.encrypt_into = cipher.encrypt_into
        self.nonce_base = salt ^ ssrc << 48

    def seal_into(self, buffer: bytearray, offset: int, header: bytes, payload: bytes, index: int) -> int:
        """Write header, ciphertext and tag at `buffer[offset:]`; return their length."""
        start = offset + len(header)
        length = len(payload) + TAG_BYTES
        buffer[offset:start] = header
        nonce = (self.nonce_base ^ index).to_bytes(12, "big")
        self.encrypt_into(nonce, payload, header, memoryview(buffer)[start : start + length])
        return len(header) + length


class LibsrtpOutStream:
    """Sealing of one SSRC by libsrtp, which keeps the index by itself."""

    __slots__ = ("_session",)

    def __init__(self, session: pylibsrtp.Session) -> None:
        self._session = session

    def seal_into(self, buffer: bytearray, offset: int, header: bytes, payload: bytes, index: int) -> int:
        """Write the protected packet at `buffer[offset:]`; return its length."""
        del index
        sealed = self._session.protect(header + bytes(payload))
        buffer[offset : offset + len(sealed)] = sealed
        return len(sealed)


SrtpOutStream = GcmOutStream | LibsrtpOutStream


class SrtpSender:
    """One direction of a transport: ours."""

    def __init__(self, profile: Profile, key: bytes, salt: bytes) -> None:
        self._profile = profile
        self._session: pylibsrtp.Session | None = None
        self._rtcp_index = 0
        if profile.is_gcm:
            size = profile.key_bytes
            self._rtp = AESGCM(derive(key, salt, 0, size))
            self._rtp_salt = int.from_bytes(derive(key, salt, 2, 12), "big")
            self._rtcp = AESGCM(derive(key, salt, 3, size))
            self._rtcp_salt = int.from_bytes(derive(key, salt, 5, 12), "big")
        else:
            self._session = pylibsrtp.Session(_policy(key, salt, pylibsrtp.Policy.SSRC_ANY_OUTBOUND))

    def stream(self, ssrc: int) -> SrtpOutStream:
        """Return the sealing of one SSRC."""
        if self._session is not None:
            return LibsrtpOutStream(self._session)
        return GcmOutStream(self._rtp, self._rtp_salt, ssrc)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Return the SRTCP packet of a compound RTCP packet (RFC 7714 section 9)."""
        if self._session is not None:
            return bytes(self._session.protect_rtcp(packet))
        index = self._rtcp_index = (self._rtcp_index + 1) & 0x7FFFFFFF
        trailer = (index | 0x80000000).to_bytes(4, "big")
        ssrc = int.from_bytes(packet[4:8], "big")
        nonce = (self._rtcp_salt ^ ssrc << 48 ^ index).to_bytes(12, "big")
        return packet[:8] + self._rtcp.encrypt(nonce, packet[8:], packet[:8] + trailer) + trailer


class _Window:
    """What was received of one SSRC: the highest index and which of the last 1,024 (RFC 3711 section 3.3.2)."""

    __slots__ = ("highest", "seen")

    def __init__(self) -> None:
        self.highest = -1
        self.seen = 0

    def check(self, index: int) -> None:
        behind = self.highest - index
        if behind >= 0 and (behind >= REPLAY_WINDOW or self.seen >> behind & 1):
            raise ReplayError("replayed or too old")

    def accept(self, index: int) -> None:
        behind = self.highest - index
        if behind < 0:
            self.seen = (self.seen << min(-behind, REPLAY_WINDOW) | 1) & _WINDOW_MASK
            self.highest = index
        else:
            self.seen |= 1 << behind


class SrtpReceiver:
    """One direction of a transport: the peer's. State changes only after a packet authenticated."""

    def __init__(self, profile: Profile, key: bytes, salt: bytes) -> None:
        self._profile = profile
        self._session: pylibsrtp.Session | None = None
        self._windows: dict[int, _Window] = {}
        self._rtcp_windows: dict[int, _Window] = {}
        self._tag_bytes = TAG_BYTES if profile.is_gcm else SHA1_80_TAG_BYTES
        self._trailer_bytes = 4 if profile.is_gcm else 4 + SHA1_80_TAG_BYTES
        """From the SRTCP index to the end: behind the tag with AES-GCM (RFC 7714 section 9), before it else."""
        self._shortest_rtcp = 8 + self._tag_bytes + 4
        if profile.is_gcm:
            size = profile.key_bytes
            self._decrypt = AESGCM(derive(key, salt, 0, size)).decrypt
            self._rtp_salt = int.from_bytes(derive(key, salt, 2, 12), "big")
            self._decrypt_rtcp = AESGCM(derive(key, salt, 3, size)).decrypt
            self._rtcp_salt = int.from_bytes(derive(key, salt, 5, 12), "big")
        else:
            policy = _policy(key, salt, pylibsrtp.Policy.SSRC_ANY_INBOUND)
            policy.window_size = REPLAY_WINDOW
            self._session = pylibsrtp.Session(policy)

    def unprotect_rtp(
        self, data: bytes, length: int, ssrc: int, sequence_number: int, header_length: int
    ) -> tuple[int, bytes]:
        """Authenticate and decrypt one SRTP packet; return (48-bit packet index, payload with any padding).

        `length` is that of `data`, `header_length` counts CSRCs and extensions.
        Raises AuthenticationError, ReplayError, and SrtpError for what is too short, too long or of too many SSRCs.
        """
        if length > MAX_BYTES or header_length + self._tag_bytes > length:
            raise SrtpError("not the length of an SRTP packet")
        window = self._windows.get(ssrc)
        if window is None:
            if len(self._windows) >= MAX_SSRCS:
                raise SrtpError("too many SSRCs")
            window = _Window()
            index = sequence_number
        else:
            index = unwrap(sequence_number, window.highest, 16)
            if index < 0:
                index += 0x10000
        window.check(index)
        if self._session is not None:
            try:
                payload = bytes(self._session.unprotect(data))[header_length:]
            except pylibsrtp.Error as error:
                raise AuthenticationError(str(error)) from error
        else:
            nonce = (self._rtp_salt ^ ssrc << 48 ^ index).to_bytes(12, "big")
            try:
                payload = self._decrypt(nonce, data[header_length:], data[:header_length])
            except InvalidTag as error:
                raise AuthenticationError("wrong tag") from error
        window.accept(index)
        self._windows[ssrc] = window
        return index, payload

    def unprotect_rtcp(self, data: bytes) -> bytes:
        """Authenticate and decrypt one SRTCP packet; return the compound RTCP packet.

        Raises AuthenticationError, ReplayError, and SrtpError for what is not encrypted, too short or too long.
        """
        length = len(data)
        if not self._shortest_rtcp <= length <= MAX_BYTES:
            raise SrtpError("not the length of an SRTCP packet")
        trailer = data[length - self._trailer_bytes : length - self._trailer_bytes + 4]
        index = int.from_bytes(trailer, "big")
        if not index & 0x80000000:
            raise SrtpError("SRTCP that is not encrypted")
        index &= 0x7FFFFFFF
        ssrc = int.from_bytes(data[4:8], "big")
        window = self._rtcp_windows.get(ssrc)
        if window is None:
            if len(self._rtcp_windows) >= MAX_SSRCS:
                raise SrtpError("too many SSRCs")
            window = _Window()
        window.check(index)
        if self._session is not None:
            try:
                plain = bytes(self._session.unprotect_rtcp(data))
            except pylibsrtp.Error as error:
                raise AuthenticationError(str(error)) from error
            window.accept(index)
            self._rtcp_windows[ssrc] = window
            return plain
        nonce = (self._rtcp_salt ^ ssrc << 48 ^ index).to_bytes(12, "big")
        try:
            plain = self._decrypt_rtcp(nonce, data[8:-4], data[:8] + trailer)
        except InvalidTag as error:
            raise AuthenticationError("wrong tag") from error
        window.accept(index)
        self._rtcp_windows[ssrc] = window
        return data[:8] + plain


def _policy(key: bytes, salt: bytes, ssrc_type: int) -> pylibsrtp.Policy:
    policy = pylibsrtp.Policy(
        key=key + salt, ssrc_type=ssrc_type, srtp_profile=pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80
    )
    policy.allow_repeat_tx = True
    return policy
