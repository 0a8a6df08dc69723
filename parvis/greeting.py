"""What `parvis serve` says when it is ready: the link, the link for other machines, and what they will be told."""

from __future__ import annotations

from parvis.errors import in_words


def greeting(path: str, *, port: int, public_url: str | None) -> str:
    """Return the line with the link that creates visits; what reads it finds the link by `http`."""
    return f"Parvis: {public_url or f'http://localhost:{port}'}{path}"


def other_machines(path: str, *, addresses: list[str], port: int, fingerprint: str | None) -> str:
    """Return the lines on HTTPS; `fingerprint` is that of a certificate of our own, None means a real one."""
    links = "\n".join(f"  https://{f'[{each}]' if ':' in each else each}:{port}{path}" for each in addresses)
    if not links:
        return in_words(("Aucun autre appareil ne joint cette machine.", "No other machine can reach this one."))
    first = in_words(OTHERS) + f"\n{links}"
    return first if fingerprint is None else f"{first}\n{in_words(WARNING).format(fingerprint=fingerprint)}"


def other_port(option: str, wanted: int, got: int) -> str:
    """Return what to say when a default port gave way to another one."""
    return in_words(
        (
            f"Le port {wanted} est déjà utilisé ; le port {got} sert à sa place (option {option}).",
            f"Port {wanted} is in use; port {got} serves instead (option {option}).",
        )
    )


OTHERS = (
    "Pour inviter des personnes qui sont sur d'autres appareils, ouvrez plutôt :",
    "To invite people who are on other machines, open this instead:",
)
WARNING = (
    """\
  Le navigateur y avertira que la connexion n'est pas privée : ce certificat vient de cette machine, et aucune
  autorité connue n'en répond. Avant de continuer, comparez son empreinte SHA-256 :
  {fingerprint}
  Sans avertissement : un vrai certificat (options web.tls_certificate et web.tls_key), ou un mandataire inverse
  (web.public_url). Voir docs/operations.md.""",
    """\
  The browser will warn there that the connection is not private: this machine made the certificate itself, and no
  known authority vouches for it. Before you go on, compare its SHA-256 fingerprint:
  {fingerprint}
  Without a warning: a real certificate (options web.tls_certificate and web.tls_key), or a reverse proxy
  (web.public_url). See docs/operations.md.""",
)
