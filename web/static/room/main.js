// The stages of the room page: device check, visit, end.
import { render } from "preact";

import { Check } from "./components/check.js";
import { Over, Room } from "./components/room.js";
import { Connection } from "./connection.js";
import { announce, t } from "./text.js";
import { html } from "./view.js";
import { Visit } from "./visit.js";

const root = /** @type {HTMLElement} */ (document.getElementById("room"));
const visitName = location.pathname.split("/")[2];
const linkKey = `parvis.link.${location.pathname}`;

/** The token comes in the fragment, which browsers never send, and leaves the address at once. */
function takeLink() {
  const fragment = location.hash.slice(1);
  if (fragment) {
    sessionStorage.setItem(linkKey, fragment);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(linkKey) ?? "";
}

/** @param {string} reason @param {string} [text] the server's own sentence */
function over(reason, text) {
  document.body.classList.remove("in-visit");
  const title = text ?? t(`${reason}_title`);
  const lead = t(`${reason}_lead`);
  const again = reason === "left" || reason === "error" || reason === "replaced";
  render(html`<${Over} title=${title} lead=${lead} again=${again} wrong=${reason === "error" || reason === "refused"} />`, root);
  announce(title);
  root.querySelector("h1")?.focus();
}

/** @param {string} link @param {string} name @param {import("./visit.js").Tracks} tracks @param {import("./visit.js").Chosen} chosen */
function enter(link, name, tracks, chosen) {
  const connection = new Connection({ link, name, language: document.documentElement.lang });
  const visit = new Visit(connection, tracks, chosen, over);
  Object.assign(window, { parvis: visit });
  document.body.classList.add("in-visit");
  render(html`<${Room} visit=${visit} />`, root);
  connection.open();
}

const link = takeLink();
if (link) {
  const onEnter = enter.bind(null, link);
  const onRefused = over.bind(null, "refused");
  render(html`<${Check} visit=${visitName} link=${link} onEnter=${onEnter} onRefused=${onRefused} />`, root);
} else render(html`<${Over} title=${t("check_no_link")} lead=${t("check_no_link_lead")} again=${false} wrong=${true} />`, root);

// A link pasted over this page changes the fragment only.
addEventListener("hashchange", () => location.hash.length > 1 && location.reload());
