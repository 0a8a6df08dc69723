// The way from a visit to its recordings: the link becomes a cookie, then their pages open.
import { effect } from "@preact/signals";

export class Recorded {
  /** @param {string} token of the join link @param {import("./state.js").RoomState} state */
  constructor(token, state) {
    this.token = token;
    this.state = state;
    // The cookie is made while the person still reads, so that the click opens the page at once.
    effect(() => {
      if (state.recorded.value && state.may("view_recording")) void this.enter();
    });
  }

  async enter() {
    try {
      await fetch(`/v/${this.state.visit.value}/enter`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ link: this.token }),
      });
    } catch {
      // the page of the recording asks again by the fragment of its address
    }
  }

  /** Where a recording is seen. @param {string} recording */
  address(recording) {
    return `/v/${this.state.visit.value}/recordings/${encodeURIComponent(recording)}#${this.token}`;
  }
}
