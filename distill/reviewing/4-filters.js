// Which documents are shown, and in what order.

const wanted = { labels: new Set(), mentions: new Set(), differs: new Set(), states: new Set(), search: "", order: "file" };
let shown = [];
const SHOWN_LABELS = 60;

const mentionStates = (doc) => {
  const found = new Set();
  if (doc.meta.lost?.length) found.add("lost");
  for (const entity of doc.entities) found.add(entity.how ? "repaired" : "exact");
  return found;
};

const differences = (doc) => {
  const found = new Set(agreements(doc).differ.map(([name, , kind]) => (kind === "gold" ? "from gold" : `from ${name}`)));
  if (doc.meta.disputed?.length) found.add("in the vote");
  if (doc.meta.conflicts?.length) found.add("two labels on one span");
  return found;
};

const labelsOf = (doc) => new Set([...doc.entities, ...(doc.gold ?? [])].map((entity) => entity.label));
const overlaps = (some, others) => { for (const each of some) if (others.has(each)) return true; return false; };

function passes(doc) {
  if (wanted.states.size && !wanted.states.has(stateOf(doc))) return false;
  if (wanted.labels.size && !overlaps(wanted.labels, labelsOf(doc))) return false;
  if (wanted.mentions.size && !overlaps(wanted.mentions, mentionStates(doc))) return false;
  if (wanted.differs.size && !overlaps(wanted.differs, differences(doc))) return false;
  if (!wanted.search) return true;
  doc.words ??= `${doc.id}\n${doc.text}\n${doc.meta.reasoning ?? ""}`.toLowerCase();
  return doc.words.includes(wanted.search) || [...labelsOf(doc)].some((label) => label.toLowerCase().includes(wanted.search));
}

const mistakes = (doc) => {
  const mine = new Set(doc.entities.map(keyOf));
  const sets = [...(doc.gold ? [doc.gold] : []), ...doc.others.filter(Boolean)].map((each) => new Set(each.map(keyOf)));
  return sets.reduce((sum, set) => sum + [...mine].filter((k) => !set.has(k)).length + [...set].filter((k) => !mine.has(k)).length,
    (doc.meta.disputed ?? []).length);
};
const surest = (doc) => Math.min(doc.meta.agreement ?? 1, ...doc.entities.map((entity) => entity.score ?? 1));
const ORDERS = { file: null, "most disagreement": (doc) => -mistakes(doc), "least sure": surest, longest: (doc) => -doc.text.length };

// Cards in boxes of forty: a card that grows moves its box's cards and the other boxes, not thousands of cards.
function chunked(some) {
  const boxes = [];
  for (let at = 0; at < some.length; at += 40) {
    boxes.push(make("div", { class: "box" }, ...some.slice(at, at + 40).map((doc) => doc.card)));
  }
  return boxes;
}

function show() {
  shown = docs.filter(passes);
  const rank = ORDERS[wanted.order];
  if (rank) {
    const ranks = new Map(shown.map((doc) => [doc, rank(doc)]));
    shown.sort((a, b) => ranks.get(a) - ranks.get(b) || a.index - b.index);
  }
  const list = document.getElementById("list");
  const empty = make("p", { class: "empty" }, docs.length ? "No document passes the filters." : "There are no documents.");
  list.replaceChildren(...(shown.length ? chunked(shown) : [empty]));
  document.getElementById("shown").textContent = `${plain(shown.length)} of ${plain(docs.length)} shown`;
  window.scrollTo(0, 0);
  if (!shown.includes(cursor.doc)) go(shown[0] ?? null, -1, false);
  else cursor.doc.card.scrollIntoView({ block: "nearest" });
}

function toggles(title, set, values) {
  if (!values.length) return null;
  const buttons = values.map(([value, number, hue]) => {
    const props = { class: "facet", "aria-pressed": "false", ...(hue != null && { hue }) };
    const button = make("button", props, make("i", { class: hue != null ? "dot" : "" }), make("span", {}, value), make("small", {}, plain(number)));
    button.dataset.value = value;
    button.addEventListener("click", () => {
      if (!set.delete(value)) set.add(value);
      button.setAttribute("aria-pressed", String(set.has(value)));
      show();
    });
    return button;
  });
  return make("section", {}, make("h2", {}, title), ...buttons);
}

function counted(of) {
  const counts = new Map();
  for (const doc of docs) for (const value of of(doc)) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

function summary() {
  const rows = data.scores.map(([name, p, r, f]) => make("tr", {}, make("th", {}, name), ...[p, r, f].map((v) => make("td", {}, v.toFixed(3).replace(/^0/, "")))));
  const table = rows.length ? make("table", { title: "strict scores against gold, before any edit" }, make("tr", {}, make("th", {}, "strict"), ...["P", "R", "F1"].map((v) => make("th", {}, v))), ...rows) : null;
  const words = data.notes.map((note) => make("p", {}, note));
  return make("section", { class: "summary" }, make("p", { id: "shown" }), ...words, table);
}

function buildSide() {
  const labels = counted(labelsOf);
  const known = data.labels.filter((label) => labels.has(label));
  const states = ["open", "accepted", "corrected", "left out"];
  const mentions = counted(mentionStates);
  const differs = [...counted(differences)].sort((a, b) => b[1] - a[1]);
  const order = make("select", { "aria-label": "Order", onchange: () => { wanted.order = order.value; show(); } },
    ...Object.keys(ORDERS).map((name) => make("option", { value: name }, name === "file" ? "as in the file" : name)));
  const parts = [
    summary(),
    toggles("Label", wanted.labels, known.slice(0, SHOWN_LABELS).map((label) => [label, labels.get(label), hueOf(label)])),
    known.length > SHOWN_LABELS ? make("p", { class: "more" }, `and ${plain(known.length - SHOWN_LABELS)} rarer labels: search for them`) : null,
    toggles("Mentions", wanted.mentions, ["exact", "repaired", "lost"].filter((each) => mentions.has(each)).map((each) => [each, mentions.get(each)])),
    toggles("Differs", wanted.differs, differs),
    toggles("Review", wanted.states, states.map((each) => [each, 0])),
    make("section", {}, make("h2", {}, "Order"), order),
  ];
  document.getElementById("side").replaceChildren(...parts.filter(Boolean));
}

function tally() {
  const counts = {};
  for (const doc of docs) { const state = stateOf(doc); counts[state] = (counts[state] ?? 0) + 1; }
  for (const state of ["open", "accepted", "corrected", "left out"]) {
    const number = document.querySelector(`.facet[data-value="${state}"] small`);
    if (number) number.textContent = plain(counts[state] ?? 0);
  }
  const reviewed = docs.length - (counts.open ?? 0);
  document.getElementById("done").textContent = `${plain(reviewed)} of ${plain(docs.length)} reviewed`;
  document.getElementById("meter").value = docs.length ? reviewed / docs.length : 0;
}
