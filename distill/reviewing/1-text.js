// Offsets and marks: code points outside, UTF-16 inside; entities that nest, cross or stand apart become nested pieces.

function make(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (key === "class") node.className = value;
    else if (key === "hue") node.style.setProperty("--h", value);
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child != null && child !== false));
  return node;
}

// For texts beyond the basic plane: where each code point begins in UTF-16; null where the two agree.
function unitsOf(text) {
  if (!/[\ud800-\udfff]/.test(text)) return null;
  const units = [];
  let at = 0;
  for (const point of text) { units.push(at); at += point.length; }
  units.push(at);
  return units;
}

const unit = (doc, point) => (doc.units ? doc.units[point] : point);

function pointAt(doc, wanted) {
  if (!doc.units) return wanted;
  const at = doc.units.findIndex((each) => each >= wanted);
  return at < 0 ? doc.units.length - 1 : at;
}

function mention(doc, entity) {
  const parts = entity.fragments?.length ? entity.fragments : [[entity.start, entity.end]];
  return parts.map(([start, end]) => doc.text.slice(unit(doc, start), unit(doc, end))).join(" … ");
}

const keyOf = (entity) => `${entity.start}-${entity.end}-${entity.label}${entity.fragments?.length ? `-${entity.fragments}` : ""}`;

// Pieces that nest: what crosses the piece around it is cut at that one's end, and the rest goes on as a piece of its own.
function piecesOf(entities) {
  const queue = [];
  entities.forEach((entity, n) => {
    const parts = entity.fragments?.length ? entity.fragments : [[entity.start, entity.end]];
    parts.forEach(([start, end], at) => queue.push({ start, end, n, last: at === parts.length - 1, size: entity.end - entity.start }));
  });
  const order = (a, b) => a.start - b.start || b.end - a.end || b.size - a.size || a.n - b.n;
  queue.sort(order);
  const root = { start: 0, end: Infinity, inside: [] };
  const stack = [root];
  while (queue.length) {
    let piece = queue.shift();
    while (stack.at(-1).end <= piece.start) stack.pop();
    const around = stack.at(-1);
    if (piece.end > around.end) {
      const rest = { ...piece, start: around.end };
      piece = { ...piece, end: around.end, last: false };
      const place = queue.findIndex((other) => order(other, rest) > 0);
      queue.splice(place < 0 ? queue.length : place, 0, rest);
    }
    piece.inside = [];
    around.inside.push(piece);
    stack.push(piece);
  }
  return root.inside;
}

// The text as nodes. `dress(entity, n)` gives each mark its class and its title.
function marked(doc, entities, dress) {
  const box = make("div", { class: "text", dir: "auto" });
  const fill = (parent, pieces, from, to) => {
    let at = from;
    for (const piece of pieces) {
      if (piece.start > at) parent.append(doc.text.slice(unit(doc, at), unit(doc, piece.start)));
      const entity = entities[piece.n];
      const { cls, title } = dress(entity, piece.n);
      const node = make("mark", { class: cls + (piece.last ? " last" : ""), title, "data-n": piece.n, hue: hueOf(entity.label) });
      if (piece.last) node.dataset.label = entity.label;
      fill(node, piece.inside, piece.start, piece.end);
      parent.append(node);
      at = piece.end;
    }
    const end = to == null ? doc.text.length : unit(doc, to);
    if (unit(doc, at) < end) parent.append(doc.text.slice(unit(doc, at), end));
  };
  fill(box, piecesOf(entities), 0, null);
  return box;
}

// Where the person's selection lies in a text, in code points and without blanks at its edges; null where it does not.
function selectedIn(box, doc) {
  const chosen = getSelection();
  if (!chosen.rangeCount || chosen.isCollapsed) return null;
  const range = chosen.getRangeAt(0);
  if (!box || !box.contains(range.startContainer) || !box.contains(range.endContainer)) return null;
  const before = document.createRange();
  before.selectNodeContents(box);
  before.setEnd(range.startContainer, range.startOffset);
  let start = before.toString().length;
  let end = start + range.toString().length;
  while (start < end && /\s/.test(doc.text[start])) start++;
  while (start < end && /\s/.test(doc.text[end - 1])) end--;
  return start < end ? { start: pointAt(doc, start), end: pointAt(doc, end) } : null;
}

// Hues far apart for the first labels, the golden angle after them.
const HUES = [255, 150, 35, 310, 90, 205, 0, 180, 285, 120];
const hues = new Map();

function hueOf(label) {
  if (!hues.has(label)) hues.set(label, hues.size < HUES.length ? HUES[hues.size] : Math.round((hues.size * 137.508) % 360));
  return hues.get(label);
}
