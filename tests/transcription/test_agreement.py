"""Stable words are never taken back; loops and phantoms are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription.agreement import Agreement
from transcription.engine import Word, is_phantom, without_loops


def test_words_two_passes_agree_on_are_stable_but_never_the_last_one() -> None:
    agreement = Agreement()
    agreement.partial(["Bonjour", "madame", "la"])
    assert agreement.stable == []
    agreement.partial(["bonjour,", "madame", "la", "juge"])
    assert agreement.stable == ["bonjour,", "madame", "la"]
    assert agreement.partial(["au", "revoir"])[:3] == ["bonjour,", "madame", "la"]


def test_a_last_pass_that_writes_stable_words_otherwise_neither_repeats_nor_drops_a_word() -> None:
    agreement = Agreement()
    for _ in range(2):
        agreement.partial(["le", "numéro", "un", "huit", "cent", "n'est", "pas", "en"])
    assert agreement.stable[-2:] == ["n'est", "pas"]
    shorter = agreement.final(["Le", "numéro", "1800", "n'est", "pas", "en", "service"])
    assert shorter == ["le", "numéro", "un", "huit", "cent", "n'est", "pas", "en", "service"]
    longer = agreement.final(["Et", "bien", "le", "numéro", "un", "huit", "cent", "n'", "est", "pas", "en", "service"])
    assert longer == ["le", "numéro", "un", "huit", "cent", "n'est", "pas", "en", "service"]


@given(st.lists(st.lists(st.sampled_from(["un", "deux", "trois", "Un,"]), max_size=8), max_size=12))
def test_what_was_stable_once_stays(passes: list[list[str]]) -> None:
    agreement = Agreement()
    before: list[str] = []
    for words in passes:
        shown = agreement.partial(words)
        assert agreement.stable[: len(before)] == before
        assert shown[: len(agreement.stable)] == agreement.stable
        before = list(agreement.stable)
    assert agreement.final(["fin"])[: len(before)] == before


def test_a_text_that_repeats_itself_is_cut_and_a_person_who_says_no_thrice_is_not() -> None:
    def words(text: str) -> list[Word]:
        return [Word(word, 0, 0, 1) for word in text.split()]

    assert len(without_loops(words("il est là il est là il est là il est là il est là"))) == 3
    assert len(without_loops(words("non non non merci"))) == 4


@pytest.mark.parametrize(
    "text",
    [
        "Sous-titres réalisés par la communauté d’Amara.org !",
        " Sous-titrage Société Radio-Canada",
        "Sous-titrage ST' 501",
        "Sous-titres réalisés para la communauté d'Amara.org",
        "Merci d'avoir regardé cette vidéo !",
        "Merci d'avoir regardé. Merci d'avoir regardé.",
        "❤️ par SousTitreur.com",
        "N'oubliez pas de vous abonner à la chaîne.",
        "Abonnez-vous !",
        "Thanks for watching!",
        "Sous-titres par Jérémy Diaz",
    ],
)
def test_the_well_known_phantoms_are_known_in_any_writing(text: str) -> None:
    assert is_phantom(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Merci d'avoir regardé le dossier avant l'audience.",
        "Les sous-titres sont affichés sous l'image.",
        "Merci beaucoup.",
        "Vous pouvez vous abonner au transport en commun.",
        "Je travaille pour Radio-Canada.",
    ],
)
def test_what_people_say_is_no_phantom(text: str) -> None:
    assert not is_phantom(text)
