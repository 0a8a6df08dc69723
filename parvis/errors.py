"""What keeps Parvis from starting, in one sentence, in the operator's language."""

import os

TEXTS = {
    "data_folder": (
        "le dossier de données {path} n'est pas utilisable ({reason}) : changez l'option data.",
        "the data folder {path} cannot be used ({reason}): change the option data.",
    ),
    "port_in_use": (
        "le port {port} est déjà utilisé : changez l'option {option}.",
        "port {port} is in use: change the option {option}.",
    ),
    "settings": ("réglages : {reason}", "settings: {reason}"),
}


class StartError(Exception):
    """A start that failed for a reason which the operator can mend."""

    def __init__(self, code: str, **values: object) -> None:
        language = os.environ.get("LC_ALL") or os.environ.get("LANG") or "fr"
        french, english = TEXTS[code]
        super().__init__((french if language.startswith("fr") else english).format(**values))
