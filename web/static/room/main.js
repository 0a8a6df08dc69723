// The stages of the room page: device check, visit, end.
import { check } from "./check.js";
import { Connection } from "./connection.js";
import { element } from "./dom.js";
import { announce, t } from "./text.js";
import { Visit } from "./visit.js";

const root = /** @type {HTMLElement} */ (document.getElementById("room"));
const linkKey = `parvis.link.${location.pathname}`;

function takeLink() {
  const fragment = location.hash.slice(1);
  if (fragment) {
    sessionStorage.setItem(linkKey, fragment);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(linkKey) ?? "";
}

/** @param {string} reason */
function over(reason) {
  const known = { left: "left_title", removed: "removed_title", ended: "ended_title", replaced: "replaced_title" };
  const title = reason in known ? t(known[/** @type {keyof typeof known} */ (reason)]) : reason;
  const back = element("button", { class: "primary", onclick: () => location.reload() }, t("return"));
  root.replaceChildren(
    element("section", { class: "card" }, element("h1", { tabindex: -1 }, title), element("p", { class: "lead" }, t("left_lead")), element("div", { class: "actions" }, back)),
  );
  announce(title);
  root.querySelector("h1")?.focus();
}

async function main() {
  const link = takeLink();
  if (!link) {
    root.replaceChildren(element("section", { class: "card" }, element("h1", {}, t("check_no_link"))));
    return;
  }
  const { name, stream } = await check();
  const connection = new Connection({ link, name, language: document.documentElement.lang });
  const visit = new Visit(connection, stream, over);
  Object.assign(window, { parvis: visit });
  connection.open();
}

main();
