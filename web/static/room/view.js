// Markup as tagged templates: preact makes the elements, no text is ever parsed as HTML.
import { h } from "preact";
import htm from "htm";

export const html = htm.bind(h);
