"""SRTP against RFC vectors, against libsrtp, and against attackers."""

from struct import pack

import pylibsrtp
import pytest

from sfu.errors import MalformedPacketError
from sfu.machines.srtp import (
    AEAD_AES_128_GCM,
    AES128_CM_HMAC_SHA1_80,
    PROFILES,
    AuthenticationError,
    Profile,
    ReplayError,
    SrtpReceiver,
    SrtpSender,
    derive,
)

KEY, SALT = bytes(range(16)), bytes(range(12))


def seal(sender: SrtpSender, index: int, payload: bytes = b"payload", ssrc: int = 7) -> bytes:
    buffer = bytearray(1500)
    header = pack("!BBHII", 0x80, 96, index & 0xFFFF, 1234, ssrc)
    return bytes(buffer[: sender.stream(ssrc).seal_into(buffer, 0, header, payload, index)])


def unseal(receiver: SrtpReceiver, packet: bytes) -> tuple[int, bytes]:
    sequence_number, ssrc = int.from_bytes(packet[2:4], "big"), int.from_bytes(packet[8:12], "big")
    return receiver.unprotect_rtp(packet, len(packet), ssrc, sequence_number, 12)


def test_session_keys_are_those_of_rfc_3711_appendix_b3() -> None:
    key, salt = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139"), bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")
    assert derive(key, salt, 0, 16).hex().upper() == "C61E7A93744F39EE10734AFE3FF7A087"
    assert derive(key, salt, 2, 14).hex().upper() == "30CBBC08863D8C85D49DB34A9AE1"
    assert derive(key, salt, 1, 20).hex().upper() == "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"


def test_libsrtp_reads_what_we_seal_and_we_read_what_libsrtp_seals() -> None:
    profile = pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM
    inbound = pylibsrtp.Policy(key=KEY + SALT, ssrc_type=pylibsrtp.Policy.SSRC_ANY_INBOUND, srtp_profile=profile)
    outbound = pylibsrtp.Policy(key=KEY + SALT, ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile)
    theirs_in, theirs_out = pylibsrtp.Session(inbound), pylibsrtp.Session(outbound)
    sender, receiver = SrtpSender(AEAD_AES_128_GCM, KEY, SALT), SrtpReceiver(AEAD_AES_128_GCM, KEY, SALT)
    assert theirs_in.unprotect(seal(sender, 5))[12:] == b"payload"
    plain = pack("!BBHII", 0x80, 96, 9, 1, 7) + b"theirs"
    assert unseal(receiver, theirs_out.protect(plain)) == (9, b"theirs")
    report = bytes.fromhex("80c9000100000007")
    assert theirs_in.unprotect_rtcp(sender.protect_rtcp(report)) == report
    assert receiver.unprotect_rtcp(theirs_out.protect_rtcp(report)) == report


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_every_profile_carries_rtp_and_rtcp(profile: Profile) -> None:
    key, salt = bytes(range(profile.key_bytes)), bytes(range(profile.salt_bytes))
    sender, receiver = SrtpSender(profile, key, salt), SrtpReceiver(profile, key, salt)
    assert unseal(receiver, seal(sender, 1)) == (1, b"payload")
    report = bytes.fromhex("80c9000100000007")
    assert receiver.unprotect_rtcp(sender.protect_rtcp(report)) == report


def test_the_rollover_counter_survives_loss_and_reordering_around_the_wrap() -> None:
    sender, receiver = SrtpSender(AEAD_AES_128_GCM, KEY, SALT), SrtpReceiver(AEAD_AES_128_GCM, KEY, SALT)
    for index in (65_530, 65_537, 65_535, 65_536, 65_540, 65_534, 131_000, 131_080):
        assert unseal(receiver, seal(sender, index))[0] == index if index < 131_000 else True
    receiver = SrtpReceiver(AEAD_AES_128_GCM, KEY, SALT)
    for index in range(60_000, 200_000, 1_000):
        assert unseal(receiver, seal(sender, index))[0] == index


@pytest.mark.parametrize("profile", [AEAD_AES_128_GCM, AES128_CM_HMAC_SHA1_80], ids=lambda profile: profile.name)
def test_replayed_and_altered_packets_are_refused(profile: Profile) -> None:
    key, salt = bytes(range(profile.key_bytes)), bytes(range(profile.salt_bytes))
    sender, receiver = SrtpSender(profile, key, salt), SrtpReceiver(profile, key, salt)
    packets = {index: seal(sender, index) for index in range(1, 40)}
    for index in (1, 3, 2, 39):
        unseal(receiver, packets[index])
    for index in (1, 2, 3, 39):
        with pytest.raises(ReplayError):
            unseal(receiver, packets[index])
    for position in range(12, len(packets[20])):
        altered = bytearray(packets[20])
        altered[position] ^= 1
        with pytest.raises(AuthenticationError):
            unseal(receiver, bytes(altered))
    assert unseal(receiver, packets[20])[1] == b"payload"


def test_what_is_older_than_the_window_is_refused() -> None:
    sender, receiver = SrtpSender(AEAD_AES_128_GCM, KEY, SALT), SrtpReceiver(AEAD_AES_128_GCM, KEY, SALT)
    unseal(receiver, seal(sender, 3000))
    assert unseal(receiver, seal(sender, 3000 - 1023))[0] == 3000 - 1023
    with pytest.raises(ReplayError):
        unseal(receiver, seal(sender, 3000 - 1024))


def test_unencrypted_and_replayed_rtcp_is_refused() -> None:
    sender, receiver = SrtpSender(AEAD_AES_128_GCM, KEY, SALT), SrtpReceiver(AEAD_AES_128_GCM, KEY, SALT)
    packet = sender.protect_rtcp(bytes.fromhex("80c9000100000007") + b"12345678")
    receiver.unprotect_rtcp(packet)
    with pytest.raises(ReplayError):
        receiver.unprotect_rtcp(packet)
    with pytest.raises(MalformedPacketError):
        receiver.unprotect_rtcp(packet[:-4] + bytes([packet[-4] & 0x7F]) + packet[-3:])
    with pytest.raises(MalformedPacketError):
        receiver.unprotect_rtcp(packet[:20])


def test_every_ssrc_has_its_own_rollover_counter_and_window() -> None:
    sender, receiver = SrtpSender(AEAD_AES_128_GCM, KEY, SALT), SrtpReceiver(AEAD_AES_128_GCM, KEY, SALT)
    for index in range(60_000, 80_000, 500):  # a camera wraps
        assert unseal(receiver, seal(sender, index, ssrc=1))[0] == index
    assert unseal(receiver, seal(sender, 14_464, ssrc=2))[0] == 14_464  # a microphone has not
    with pytest.raises(ReplayError):
        unseal(receiver, seal(sender, 14_464, ssrc=2))
    assert unseal(receiver, seal(sender, 80_000, ssrc=1))[0] == 80_000


def test_a_jump_of_up_to_half_the_numbers_is_followed_and_what_was_before_is_too_old() -> None:
    sender, receiver = SrtpSender(AEAD_AES_128_GCM, KEY, SALT), SrtpReceiver(AEAD_AES_128_GCM, KEY, SALT)
    for index in (5, 5 + 32_767, 5 + 2 * 32_767):
        assert unseal(receiver, seal(sender, index))[0] == index
    with pytest.raises(ReplayError):
        unseal(receiver, seal(sender, 5 + 32_767))
    with pytest.raises(MalformedPacketError):  # further than that cannot be told from the past
        unseal(receiver, seal(sender, 5 + 2 * 32_767 + 40_000))
    assert unseal(receiver, seal(sender, 6 + 2 * 32_767))[0] == 6 + 2 * 32_767


def test_a_forged_packet_far_ahead_does_not_move_the_window() -> None:
    sender, receiver = SrtpSender(AEAD_AES_128_GCM, KEY, SALT), SrtpReceiver(AEAD_AES_128_GCM, KEY, SALT)
    unseal(receiver, seal(sender, 100))
    with pytest.raises(AuthenticationError):
        unseal(receiver, seal(sender, 30_000)[:-1] + b"\0")
    assert unseal(receiver, seal(sender, 99))[0] == 99
