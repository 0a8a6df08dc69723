"""Faces and voices for browsers' fake devices: real Québec French speech, and pictures that can be told apart."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.speech import RATE, Prompt, Samples

WIDTH, HEIGHT, FRAMES_PER_S = 640, 360, 15
LOOP_FRAMES = 30
PAUSE_S = 0.9


@dataclass(slots=True, frozen=True)
class Person:
    """Somebody with a name, a colour and something to say."""

    name: str
    colour: tuple[int, int, int]
    """RGB; far enough from the others' to survive a video codec."""
    sentences: tuple[tuple[str, str], ...]
    """(prompt, what is said in it): the texts of the package, without their slips of spelling."""

    @property
    def text(self) -> str:
        """All that the person says in one round of the loop."""
        return " ".join(said for _, said in self.sentences)


AMELIE = Person(
    "Amélie Tremblay",
    (200, 40, 40),
    (
        ("conf-onlyperson", "Vous êtes présentement le seul participant dans cette conférence."),
        ("privacy-prompt", "Veuillez entrer votre numéro de téléphone en commençant par l'indicatif régional."),
        ("ss-noservice", "Le numéro composé n'est pas en service. Veuillez vérifier le numéro et essayer de nouveau."),
        ("dir-nomore", "Aucune autre entrée ne correspond à votre sélection dans le répertoire."),
    ),
)
BENOIT = Person(
    "Benoît Gagnon",
    (40, 160, 60),
    (
        ("privacy-unident", "Le numéro que vous tentez de joindre n'accepte pas les appels inconnus."),
        ("followme/sorry", "Désolé, je n'ai pas réussi à localiser la personne que vous désirez joindre."),
    ),
)
CHANTAL = Person(
    "Chantal Roy",
    (50, 70, 200),
    (
        ("conf-invalid", "Ce numéro de conférence n'est pas valide. Veuillez réessayer de nouveau."),
        ("priv-introsaved", "Merci. Veuillez attendre pendant que je tente d'établir la connexion "
            "avec votre destinataire."),
    ),
)  # fmt: skip
PEOPLE = (AMELIE, BENOIT, CHANTAL)


def prompt(name: str) -> Samples:
    """Return one prompt, 48 kHz mono."""
    return Prompt(name, "").samples()


def speech(person: Person, *, silence_s: float = 0.0) -> Samples:
    """Return one round of what a person says, 48 kHz mono, with `silence_s` at its end, in which others may speak."""
    pause = np.zeros(int(PAUSE_S * RATE), np.int16)
    parts: list[Samples] = []
    for name, _ in person.sentences:
        parts += [prompt(name), pause]
    return np.concatenate([*parts, np.zeros(int(silence_s * RATE), np.int16)])


def write_wav(samples: Samples, path: Path) -> Path:
    """Write 48 kHz mono samples for `--use-file-for-fake-audio-capture`; Chromium plays it in a loop."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return path


def face(person: Person, number: int) -> Image.Image:
    """Return frame `number` of a person's moving picture: their colour, their name, a bar that travels."""
    image = Image.new("RGB", (WIDTH, HEIGHT), person.colour)
    draw = ImageDraw.Draw(image)
    travelled = WIDTH * (number % LOOP_FRAMES) // LOOP_FRAMES
    draw.rectangle((travelled, HEIGHT - 60, travelled + 40, HEIGHT - 20), fill=(255, 255, 255))
    font = ImageFont.load_default(size=40)
    draw.text((30, 30), f"{person.name}\n{number:03}", font=font, fill=(255, 255, 255))
    return image


def write_y4m(person: Person, path: Path) -> Path:
    """Write two seconds of a person's picture for `--use-file-for-fake-video-capture`; Chromium loops it."""
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FRAMES_PER_S}:1 Ip A1:1 C420jpeg\n".encode())
        for number in range(LOOP_FRAMES):
            frame = av.VideoFrame.from_image(face(person, number)).reformat(format="yuv420p")
            file.write(b"FRAME\n" + frame.to_ndarray().tobytes())
    return path


@dataclass(slots=True, frozen=True)
class Devices:
    """The files behind one person's fake camera and microphone."""

    person: Person
    audio: Path
    video: Path

    @property
    def arguments(self) -> list[str]:
        """Chromium's arguments for them."""
        return [f"--use-file-for-fake-audio-capture={self.audio}", f"--use-file-for-fake-video-capture={self.video}"]


def devices(person: Person, folder: Path, *, silence_s: float = 0.0) -> Devices:
    """Write a person's devices into `folder` unless they are there."""
    stem = person.name.split()[0].lower()
    audio, video = folder / f"{stem}-{silence_s:g}.wav", folder / f"{stem}.y4m"
    if not audio.exists():
        write_wav(speech(person, silence_s=silence_s), audio)
    if not video.exists():
        write_y4m(person, video)
    return Devices(person, audio, video)
