"""What a client is told when something is wrong: stable codes and sentences in its language (docs/protocol.md)."""

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "malformed": ("Le message reçu n'a pas de sens.", "The message received makes no sense."),
    "too_fast": ("Trop de messages à la fois.", "Too many messages at once."),
    "not_joined": ("Il faut d'abord entrer dans la visite.", "Enter the visit first."),
    "not_allowed": ("Votre rôle ne le permet pas.", "Your role does not allow this."),
    "not_found": ("Cela n'existe pas ou plus.", "This does not exist, or no longer does."),
    "link_invalid": ("Ce lien n'est pas valide.", "This link is not valid."),
    "link_expired": ("Ce lien a expiré. Demandez-en un nouveau.", "This link has expired. Ask for a new one."),
    "link_not_yet": ("Ce lien n'est pas encore valide.", "This link is not valid yet."),
    "room_full": ("La visite est complète.", "The visit is full."),
    "visit_ended": ("La visite est terminée.", "The visit is over."),
    "version": ("Rechargez la page : elle a été mise à jour.", "Reload the page: it has been updated."),
    "resume_failed": ("La connexion n'a pas pu être reprise.", "The connection could not be resumed."),
    "media_unavailable": (
        "Le serveur vidéo redémarre. Un instant.",
        "The video server is restarting. One moment.",
    ),
    "sdp_invalid": ("Le navigateur a envoyé une description invalide.", "The browser sent an invalid description."),
    "recorder_unavailable": ("L'enregistreur n'est pas disponible.", "The recorder is not available."),
    "unauthorized": (
        "Il faut le jeton d'un lien d'entrée (Authorization: Bearer).",
        "The token of a join link is needed (Authorization: Bearer).",
    ),
    "method": ("Cette adresse ne comprend pas cette méthode.", "This address does not understand this method."),
    "media_type": ("Le contenu n'est pas du type attendu.", "The content is not of the expected type."),
    "too_large": ("Le contenu est trop long.", "The content is too long."),
    "sdp_unacceptable": (
        "Un des médias offerts ne peut pas être accepté : un son (Opus) et une image (VP8, VP9, H.264 ou AV1) au plus.",
        "One of the media offered cannot be accepted: one sound (Opus) and one picture (VP8, VP9, H.264 or AV1) "
        "at most.",
    ),
    "not_live": ("Il n'y a rien à regarder pour le moment.", "There is nothing to watch at the moment."),
    "precondition_required": ("L'en-tête If-Match manque.", "The If-Match header is missing."),
    "precondition_failed": ("L'en-tête If-Match n'est plus à jour.", "The If-Match header is out of date."),
    "ice_mismatch": (
        "Ces informations ICE ne sont pas de cette session.",
        "This ICE information is not of this session.",
    ),
    "disk_full": (
        "Le disque de l'enregistreur est plein : l'enregistrement est impossible.",
        "The recorder's disk is full: recording is not possible.",
    ),
    "write_error": (
        "L'enregistreur ne peut pas écrire sur son disque.",
        "The recorder cannot write to its disk.",
    ),
    "internal": ("Une erreur est survenue.", "Something went wrong."),
}


class ClientError(Exception):
    """A request of a client that is refused. `code` is a key of TEXTS."""

    def __init__(self, code: str, *, fatal: bool = False, reason: str = "") -> None:
        """`reason` is one English sentence for whoever looks after the other program."""
        super().__init__(code)
        self.reason = reason
        self.code = code if code in TEXTS else "internal"
        self.fatal = fatal


def text_of(code: str, language: str) -> str:
    """Return the sentence for a code, in French unless English is asked for."""
    french, english = TEXTS[code]
    return english if language == "en" else french
