// Keys during a visit. Nothing is bound to Space: it presses the button that has the focus.

const TALK = "v";

/** @param {EventTarget | null} target */
function writes(target) {
  return target instanceof HTMLElement && (target.matches("input:not([type=checkbox]), textarea, select") || target.isContentEditable);
}

/** Listen until the returned function is called. @param {import("./visit.js").Visit} visit */
export function listen(visit) {
  let talking = false;

  const stop = () => {
    if (!talking) return;
    talking = false;
    visit.turnMicrophone(false);
  };

  const down = (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey) {
      if (event.key.toLowerCase() === "d") void visit.toggleMicrophone();
      else if (event.key.toLowerCase() === "e") void visit.toggleCamera();
      else return;
      event.preventDefault();
    } else if (event.key.toLowerCase() === TALK && !event.altKey && !event.metaKey && !event.ctrlKey && visit.talkKey.value) {
      if (event.repeat || writes(event.target) || visit.microphoneOn.value || !visit.own.value.has("microphone")) return;
      talking = true;
      visit.turnMicrophone(true);
    }
  };
  const up = (/** @type {KeyboardEvent} */ event) => {
    if (event.key.toLowerCase() === TALK) stop();
  };

  document.addEventListener("keydown", down);
  document.addEventListener("keyup", up);
  // The key may be let go of in another window.
  window.addEventListener("blur", stop);
  return () => {
    document.removeEventListener("keydown", down);
    document.removeEventListener("keyup", up);
    window.removeEventListener("blur", stop);
  };
}
