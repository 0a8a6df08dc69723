"""axe-core in a page: npm's package, locked like everything, put in before the page's own scripts."""

from pathlib import Path
from typing import Any

from playwright.async_api import Page

SCRIPT = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
"""`script/test` installs it."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async (rules) => {
  const moving = document.getAnimations().filter((each) => Number.isFinite(each.effect.getComputedTiming().endTime));
  await Promise.allSettled(moving.map((each) => each.finished));
  const { violations } = await axe.run(document, { runOnly: rules, resultTypes: ["violations"] });
  const said = (node) => `${node.target.join(" ")}: ${node.failureSummary}`;
  return violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(said) }));
}"""


async def install(page: Page) -> None:
    """Have axe in every page that is opened from now on."""
    await page.add_init_script(path=SCRIPT)


async def violations(page: Page) -> list[str]:
    """Return what is wrong with the page as it is."""
    found: list[dict[str, Any]] = await page.evaluate(RUN, RULES)
    return [f"{each['id']}: {node}" for each in found for node in each["nodes"]]
