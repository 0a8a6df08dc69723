// What this browser remembers of a person's choices. A browser that keeps nothing is no reason to fail.

/** @param {string} key @param {string} otherwise */
export function recall(key, otherwise = "") {
  try {
    return localStorage.getItem(`parvis.${key}`) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** @param {string} key @param {string} value */
export function keep(key, value) {
  try {
    localStorage.setItem(`parvis.${key}`, value);
  } catch {
    // private windows of some browsers
  }
}
