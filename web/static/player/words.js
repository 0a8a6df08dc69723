// Which words are said at a time.

/**
 * The last segment that began by then and is not long over. Segments stand in the order of their starts.
 * @param {Recording.Segment[]} segments @param {number} at_s
 * @returns {number} its place, or -1
 */
export function segmentAt(segments, at_s) {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (segments[middle].start_s <= at_s) low = middle + 1;
    else high = middle;
  }
  return low > 0 && at_s < segments[low - 1].end_s + 1 ? low - 1 : -1;
}

/**
 * @param {Recording.Word[]} words @param {number} at_s
 * @returns {number} the place of the word that is said, or -1
 */
export function wordAt(words, at_s) {
  return words.findIndex((word) => at_s >= word.start_s && at_s < word.end_s);
}
