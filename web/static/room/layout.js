// Where each picture stands. Numbers in, rectangles out.

/** @typedef {{x: number, y: number, width: number, height: number}} Box in CSS pixels */
/** @typedef {{id: string, screen: boolean, self: boolean}} Item */

const GAP = 8;
const WIDEST = 16 / 9;
const TALLEST = 3 / 4;
/** A single face may fill an upright phone. */
const ONE_TALLEST = 1 / 2;
const SCREEN_TALLEST = 4 / 3;
const PHONE = 720;

/**
 * A grid with the largest possible pictures; its last row is centred.
 * @param {Item[]} items @param {Box} area @param {Map<string, Box>} boxes filled in @param {number} tallest width by height
 */
function grid(items, area, boxes, tallest) {
  let best = { columns: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= items.length; columns += 1) {
    const rows = Math.ceil(items.length / columns);
    let width = (area.width - GAP * (columns - 1)) / columns;
    let height = (area.height - GAP * (rows - 1)) / rows;
    if (width / height > WIDEST) width = height * WIDEST;
    if (width / height < tallest) height = width / tallest;
    if (width * height > best.width * best.height) best = { columns, width, height };
  }
  const { columns, width, height } = best;
  const rows = Math.ceil(items.length / columns);
  const top = area.y + (area.height - rows * height - (rows - 1) * GAP) / 2;
  items.forEach((item, number) => {
    const row = Math.floor(number / columns);
    const inRow = Math.min(columns, items.length - row * columns);
    const left = area.x + (area.width - inRow * width - (inRow - 1) * GAP) / 2;
    boxes.set(item.id, {
      x: left + (number % columns) * (width + GAP),
      y: top + row * (height + GAP),
      width,
      height,
    });
  });
}

/**
 * Lay out a stage: screens large with people beside (or under) them; two people as one large and oneself small; else a grid.
 * @param {Item[]} items @param {number} width @param {number} height of the stage
 * @returns {Map<string, Box>}
 */
export function layout(items, width, height) {
  /** @type {Map<string, Box>} */
  const boxes = new Map();
  const area = { x: GAP, y: GAP, width: Math.max(1, width - 2 * GAP), height: Math.max(1, height - 2 * GAP) };
  const screens = items.filter((item) => item.screen);
  const people = items.filter((item) => !item.screen);
  if (screens.length) {
    const beside = width > height && width >= PHONE;
    const strip = beside
      ? Math.min(280, Math.max(150, area.width * 0.2))
      : Math.min(area.height * 0.3, Math.max(90, area.height * 0.22));
    const main = { ...area };
    const rest = { ...area };
    if (beside) {
      main.width -= strip + GAP;
      rest.x += main.width + GAP;
      rest.width = strip;
    } else {
      main.height -= strip + GAP;
      rest.y += main.height + GAP;
      rest.height = strip;
    }
    grid(screens, main, boxes, SCREEN_TALLEST);
    grid(people, rest, boxes, 1);
    return boxes;
  }
  const self = people.find((item) => item.self);
  if (people.length === 2 && self) {
    grid(people.filter((item) => item !== self), area, boxes, ONE_TALLEST);
    const upright = height > width;
    const small = Math.min(240, Math.max(104, width * (upright ? 0.28 : 0.2)));
    const size = { width: small, height: upright ? small * 1.25 : small / WIDEST };
    boxes.set(self.id, {
      x: area.x + area.width - size.width - GAP,
      y: area.y + area.height - size.height - GAP,
      ...size,
    });
    return boxes;
  }
  grid(people, area, boxes, people.length === 1 ? ONE_TALLEST : TALLEST);
  return boxes;
}
