// The page of a recording. What stands in it without this script (files, text) gives way to the player.
import { render } from "preact";

import { t } from "../room/text.js";
import { html } from "../room/view.js";
import { Page } from "./components/page.js";
import { Player } from "./player.js";

const root = /** @type {HTMLElement} */ (document.getElementById("player"));
const plain = document.getElementById("plain");

async function main() {
  // The token of the link may have come along; it is not for the address bar.
  if (location.hash) history.replaceState(null, "", location.pathname);
  const response = await fetch(`${location.pathname.replace(/\/$/, "")}/manifest.json`);
  if (!response.ok) throw new Error(String(response.status));
  const player = new Player(await response.json());
  Object.assign(window, { parvis: player });
  plain?.remove();
  render(html`<${Page} player=${player} />`, root);
}

main().catch((error) => {
  console.warn(error);
  render(html`<p class="help" role="alert">${t("player_failed")}</p>`, root);
});
