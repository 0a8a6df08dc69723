"""What keeps Parvis from starting, in one sentence, in the operator's language."""

import errno
import os
import re

from configs.problems import Allowed, Problem

CANNOT_START = 2
"""Exit status of a process that said in words what the operator can mend."""

TEXTS = {
    "data_folder": (
        "le dossier de données {path} n'est pas utilisable ({reason}) : changez l'option data.",
        "the data folder {path} cannot be used ({reason}): change the option data.",
    ),
    "data_in_use": (
        "un autre Parvis se sert déjà du dossier de données {path} : arrêtez-le ou changez l'option data.",
        "another Parvis uses the data folder {path}: stop it or change the option data.",
    ),
    "port_in_use": (
        "le port {port} est déjà utilisé : changez l'option {option}.",
        "port {port} is in use: change the option {option}.",
    ),
    "port_refused": (
        "le système refuse le port {port} à ce compte : donnez à l'option {option} un port à partir de 1024, ou "
        "au service le droit CAP_NET_BIND_SERVICE.",
        "the system refuses port {port} to this account: give the option {option} a port from 1024 on, or the service "
        "the right CAP_NET_BIND_SERVICE.",
    ),
    "not_an_address": (
        "{option} = {host!r} n'est pas une adresse de cette machine ({reason}).",
        "{option} = {host!r} is not an address of this machine ({reason}).",
    ),
    "worker": (
        "parvis {command} n'a pas pu démarrer ; la raison est écrite juste au-dessus.",
        "parvis {command} could not start; the reason stands just above.",
    ),
    "certificate": (
        "{option} = {path} ne peut pas servir : {reason}.",
        "{option} = {path} cannot be used: {reason}.",
    ),
    "database_url": (
        "storage.database = {url} n'est pas l'adresse d'une base de données : il faut sqlite:///chemin ou "
        "postgresql://utilisateur:motdepasse@serveur/base ({reason}).",
        "storage.database = {url} is not the address of a database: this must be sqlite:///path or "
        "postgresql://user:password@host/name ({reason}).",
    ),
    "database_unreachable": (
        "la base de données {url} ne peut pas servir ({reason}) : vérifiez qu'elle fonctionne, ou changez l'option "
        "storage.database.",
        "the database {url} cannot be used ({reason}): check that it is running, or change the option "
        "storage.database.",
    ),
    "database_newer": (
        "la base de données {url} vient d'une version plus récente de Parvis ({reason}) : installez cette version, ou "
        "changez l'option storage.database.",
        "the database {url} was made by a newer version of Parvis ({reason}): install that version, or change the "
        "option storage.database.",
    ),
    "bus_url": (
        "storage.bus = {url} n'est pas une adresse qui convient : il faut memory://, redis://serveur:6379/0 ou "
        "unix:///chemin ({reason}).",
        "storage.bus = {url} is not an address that fits: this must be memory://, redis://host:6379/0 or "
        "unix:///path ({reason}).",
    ),
    "bus_unreachable": (
        "le serveur Redis {url} ne répond pas ({reason}) : vérifiez qu'il fonctionne, ou changez l'option storage.bus.",
        "the Redis server {url} does not answer ({reason}): check that it is running, or change the option "
        "storage.bus.",
    ),
}

PROBLEMS = {
    "unreadable": (
        "le fichier de réglages {option} ne peut pas être lu : {detail}.",
        "the settings file {option} cannot be read: {detail}.",
    ),
    "not_toml": (
        "{option} n'est pas un fichier TOML valide : {detail}.",
        "{option} is not valid TOML: {detail}.",
    ),
    "unknown": (
        "{option} : il n'y a pas d'option de ce nom (configs/parvis.toml les explique toutes).",
        "{option}: there is no option of this name (configs/parvis.toml explains them all).",
    ),
    "invalid": ("{option} = {detail} : il faut {allowed}.", "{option} = {detail}: this must be {allowed}."),
    "certificate_without_key": (
        "web.tls_certificate et web.tls_key vont ensemble : donnez les deux, ou aucune.",
        "web.tls_certificate and web.tls_key go together: give both or neither.",
    ),
}

SHAPES = {
    "whole": ("un nombre entier{range}", "a whole number{range}"),
    "number": ("un nombre{range}", "a number{range}"),
    "switch": ("true ou false", "true or false"),
    "text": ("un texte", "a text"),
    "list": ("une liste de textes", "a list of texts"),
    "choice": ("l'une de ces valeurs : {choices}", "one of these: {choices}"),
    "table": ("une section avec ses options", "a section with its options"),
    "https_url": ("une adresse comme https://visites.exemple.ca", "an address like https://visits.example.org"),
}


class StartError(Exception):
    """A start that failed for a reason which the operator can mend."""

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(in_words(TEXTS[code]).format(**values))

    @classmethod
    def of_socket(cls, error: OSError, prefix: str, host: str, port: int) -> "StartError":
        """Say why nothing can listen where two options say, `web.tls_host` and `web.tls_port` for `web.tls_`."""
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            code = "port_in_use" if error.errno == errno.EADDRINUSE else "port_refused"
            return cls(code, port=port, option=f"{prefix}port")
        return cls("not_an_address", option=f"{prefix}host", host=host, reason=error.strerror or error)


def in_words(text: tuple[str, str]) -> str:
    """Return the French or the English text, as the operator's environment asks (LC_ALL, LANG); French first."""
    language = os.environ.get("LC_ALL") or os.environ.get("LANG") or "fr"
    return text[0] if french(language) else text[1]


def french(language: str) -> bool:
    """Return whether a locale means French. `C` and `POSIX` name no language: French is the first one."""
    return language.startswith("fr") or language.partition(".")[0] in ("C", "POSIX")


def explain(problem: Problem) -> str:
    """Return one sentence that names the option, its value and what is allowed."""
    option = f"{problem.option} ({problem.variable})" if problem.variable else problem.option
    said = repr(problem.detail) if problem.kind == "invalid" else str(problem.detail)
    detail = re.sub(r"//[^/@]*@", "//…@", said)  # a password in a URL is nobody's reading
    allowed = _allowed(problem.allowed) if problem.allowed is not None else ""
    return in_words(PROBLEMS[problem.kind]).format(option=option, detail=detail, allowed=allowed)


def _allowed(allowed: Allowed) -> str:
    low, above, high = (
        f"{bound:g}" if bound is not None else None for bound in (allowed.low, allowed.above, allowed.high)
    )
    between = ""
    if low is not None and high is not None:
        between = in_words((" de {low} à {high}", " from {low} to {high}"))
    elif above is not None and high is not None:
        between = in_words((" plus grand que {above}, {high} au plus", " above {above}, {high} at most"))
    elif low is not None:
        between = in_words((" à partir de {low}", " from {low} on"))
    between = between.format(low=low, above=above, high=high)
    return in_words(SHAPES[allowed.shape]).format(range=between, choices=", ".join(allowed.choices))
