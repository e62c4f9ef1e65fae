// A card a document: its text with marks, gold and other files beside it, what the teacher thought and lost.

const plain = (number) => number.toLocaleString("en");
const percent = (share) => `${Math.round(share * 100)} %`;
let reasoningOpen = stored("reasoning") === "1";

function titleOf(doc, entity) {
  const parts = [`${entity.label}: ${mention(doc, entity)}`];
  if (entity.score != null) parts.push(`score ${entity.score.toFixed(2)}`);
  if (entity.how) parts.push(`repaired: ${entity.how}`);
  return parts.join(" · ");
}

function ours(doc) {
  const gold = doc.gold && new Set(doc.gold.map(keyOf));
  const chosen = cursor.doc === doc ? cursor.entity : -1;
  const box = marked(doc, doc.entities, (entity, n) => ({
    cls: [entity.how ? "repaired" : "", entity.fragments?.length ? "apart" : "", gold && !gold.has(keyOf(entity)) ? "odd" : "",
      entity.score != null && entity.score < 0.7 ? "unsure" : "", n === chosen ? "chosen" : ""].join(" "),
    title: titleOf(doc, entity),
  }));
  box.classList.add("ours");
  box.addEventListener("click", (event) => {
    const node = event.target.closest("mark");
    go(doc, node && getSelection().isCollapsed ? Number(node.dataset.n) : -1, false);
  });
  return box;
}

function beside(doc, name, entities, cls) {
  const mine = new Set(doc.entities.map(keyOf));
  const box = marked(doc, entities, (entity) => ({
    cls: mine.has(keyOf(entity)) ? "" : "odd", title: `${titleOf(doc, entity)} (click to take it over)`,
  }));
  box.addEventListener("click", (event) => {
    const node = event.target.closest("mark");
    if (node) { go(doc, -1, false); add(doc, entities[Number(node.dataset.n)]); }
  });
  const take = make("button", { class: "quiet", onclick: () => { go(doc, -1, false); change(doc, { entities: sorted(entities) }); } }, "take all");
  return make("section", { class: `beside ${cls}` }, make("h3", {}, name, take), box);
}

function chip(cls, label, words, more, onclick) {
  return make(onclick ? "button" : "span", { class: `chip ${cls}`, hue: hueOf(label), title: more, onclick },
    make("b", {}, label), ` ${words}`, more ? make("small", {}, ` ${more}`) : null);
}

function notes(doc) {
  const box = make("div", { class: "chips" });
  for (const lost of doc.meta.lost ?? []) {
    box.append(chip("lost", String(lost.label), String(lost.mention), `lost: ${lost.why}`));
  }
  doc.entities.forEach((entity) => {
    if (entity.how) box.append(chip("mended", entity.label, mention(doc, entity), `repaired: ${entity.how}`));
  });
  const mine = new Set(doc.entities.map(keyOf));
  for (const row of doc.meta.disputed ?? []) {
    if (mine.has(keyOf(row))) continue;
    const share = `${row.votes} of ${doc.meta.voters?.length ?? "?"} (${(row.by ?? []).join(", ")})`;
    box.append(chip("outvoted", row.label, mention(doc, row), share, () => { go(doc, -1, false); add(doc, row); }));
  }
  return box.childNodes.length ? box : null;
}

function agreements(doc) {
  const rows = doc.gold ? [["gold", doc.gold, "gold"]] : [];
  data.others.forEach((name, at) => { if (doc.others[at]) rows.push([name, doc.others[at], "other"]); });
  const same = rows.filter(([, entities]) => sameEntities(doc.entities, entities));
  return { same: same.map(([name]) => name), differ: rows.filter((row) => !same.includes(row)) };
}

function fillCard(doc) {
  const state = stateOf(doc);
  const { same, differ } = agreements(doc);
  const head = make("header", {},
    make("span", { class: "id" }, doc.id),
    make("span", { class: `state ${state.replace(" ", "-")}` }, state),
    doc.meta.agreement != null && make("span", { class: "fact", title: "mean share of teachers that side with the vote" }, `agreement ${percent(doc.meta.agreement)}`),
    same.length ? make("span", { class: "fact good" }, `✓ same as ${same.join(", ")}`) : null,
    make("span", { class: "pair" }, make("button", { class: "quiet", title: "leave this document out of the download ( x )", onclick: () => { go(doc, -1, false); leave(doc); } }, doc.left ? "take back" : "leave out"),
    make("button", { class: "quiet accept", "aria-pressed": String(doc.accepted), title: "accept ( a )", onclick: () => { go(doc, -1, false); change(doc, { accepted: !doc.accepted, left: false }); } }, doc.accepted ? "✓ accepted" : "accept")));
  const columns = make("div", { class: "columns" }, make("section", { class: "mine" }, differ.length ? make("h3", {}, data.name) : null, ours(doc)),
    ...differ.map(([name, entities, cls]) => beside(doc, name, entities, cls)));
  const reasoning = doc.meta.reasoning
    ? make("details", { class: "reasoning", open: reasoningOpen }, make("summary", {}, "Reasoning"), make("p", { dir: "auto" }, String(doc.meta.reasoning)))
    : null;
  doc.card.className = `card ${state.replace(" ", "-")}${cursor.doc === doc ? " current" : ""}`;
  doc.card.replaceChildren(head, columns, ...[notes(doc), reasoning].filter(Boolean));
  doc.filled = true;
}

// Cards are filled as they come near the window and emptied far away; an empty one keeps its height.
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const doc = docs[Number(entry.target.dataset.index)];
    if (entry.isIntersecting) {
      if (!doc.filled) { fillCard(doc); doc.card.style.minHeight = ""; }
    } else if (doc.filled && doc !== cursor.doc && doc.card.isConnected) {
      doc.card.style.minHeight = `${entry.boundingClientRect.height}px`;
      doc.card.replaceChildren();
      doc.filled = false;
    }
  }
}, { rootMargin: "1200px 0px" });

function makeCards() {
  for (const doc of docs) {
    doc.card = make("article", { class: "card", "data-index": doc.index });
    doc.card.style.minHeight = `${84 + Math.ceil(doc.text.length / 90) * 30}px`;
    doc.filled = false;
    watcher.observe(doc.card);
  }
}
