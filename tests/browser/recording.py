"""Recording by the buttons that a host has."""

from tests.browser.people import Person

STATE = "(state) => window.parvis.state.recording.value.state === state"
ID = "() => window.parvis.state.recording.value.id"


async def start(host: Person) -> str:
    """Start a recording; return its id."""
    await host.page.get_by_role("button", name="Enregistrer").click()
    await host.page.get_by_role("dialog").get_by_role("button", name="Enregistrer").click()
    await host.until(STATE, "active")
    recording: str = await host.page.evaluate(ID)
    return recording


async def stop(host: Person) -> None:
    """Stop the recording."""
    await host.page.get_by_role("button", name="Arrêter l'enregistrement").click()
    await host.page.get_by_role("dialog").get_by_role("button", name="Arrêter l'enregistrement").click()
    await host.until(STATE, "idle")
