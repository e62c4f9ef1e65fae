// What hands do: the cursor, the bar, keys, taps.

const cursor = { doc: null, entity: -1 };
let selection = null;

function refresh(doc) {
  if (doc.filled || doc === cursor.doc) fillCard(doc);
  tally();
  if (doc === cursor.doc) drawBar();
}

function go(doc, entity = -1, scroll = true) {
  const before = cursor.doc;
  cursor.doc = doc;
  cursor.entity = entity;
  if (before && before !== doc && before.filled) fillCard(before);
  if (!doc) return drawBar();
  fillCard(doc);
  doc.card.style.minHeight = "";
  if (scroll) doc.card.scrollIntoView({ block: "nearest" });
  keep("at", doc.id);
  drawBar();
}

function step(by) {
  const at = shown.indexOf(cursor.doc);
  const next = shown[at + by];
  if (next) go(next);
}

function stepEntity(by) {
  const number = cursor.doc?.entities.length ?? 0;
  if (!number) return;
  go(cursor.doc, cursor.entity < 0 ? (by > 0 ? 0 : number - 1) : (cursor.entity + by + number) % number);
}

function accept() {
  const doc = cursor.doc;
  if (!doc) return;
  if (!doc.accepted || doc.left) change(doc, { accepted: true, left: false });
  step(1);
}

const leave = (doc) => change(doc, { left: !doc.left });

function give(label) {
  const doc = cursor.doc;
  if (!doc || !label) return;
  if (selection) {
    const place = selection;
    getSelection().removeAllRanges();
    selection = null;
    add(doc, { ...place, label });
  } else if (cursor.entity >= 0) relabel(doc, cursor.entity, label);
  else toast("Choose an entity (← →) or select text first.");
}

function deleteChosen() {
  if (cursor.doc && cursor.entity >= 0) remove(cursor.doc, cursor.entity);
  else toast("Choose an entity first (← →).");
}

function takeGold() {
  const doc = cursor.doc;
  if (doc?.gold) { cursor.entity = -1; change(doc, { entities: sorted(doc.gold) }); }
  else toast("This document has no gold.");
}

function toggleReasoning() {
  reasoningOpen = !reasoningOpen;
  keep("reasoning", reasoningOpen ? "1" : null);
  document.querySelectorAll("details.reasoning").forEach((each) => { each.open = reasoningOpen; });
}

const KEYS = {
  j: () => step(1), k: () => step(-1), a: accept, d: deleteChosen, Delete: deleteChosen, Backspace: deleteChosen,
  ArrowLeft: () => stepEntity(-1), ArrowRight: () => stepEntity(1), h: () => stepEntity(-1), l: () => stepEntity(1),
  u: undo, x: () => cursor.doc && leave(cursor.doc), g: takeGold, r: toggleReasoning, "?": () => document.getElementById("help").showModal(),
  "/": () => { document.getElementById("search").focus(); document.getElementById("search").select(); },
  Escape: () => { getSelection().removeAllRanges(); go(cursor.doc, -1, false); },
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.getElementById("help").open) return;
  if (event.target.closest("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const digit = /^[1-9]$/.test(event.key);
  if (!digit && !Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  if (digit) give(data.labels[Number(event.key) - 1]);
  else KEYS[event.key]();
}

function drawBar() {
  const doc = cursor.doc;
  const entity = doc?.entities[cursor.entity];
  const labels = data.labels.slice(0, 9);
  if (entity && !labels.includes(entity.label)) labels.push(entity.label);
  const what = selection ? "selected text" : entity ? `${entity.label}: ${mention(doc, entity)}` : "";
  const buttons = labels.map((label, at) => make("button", {
    class: "label", hue: hueOf(label), "aria-pressed": String(!selection && entity?.label === label), disabled: !what,
    onpointerdown: (event) => event.preventDefault(), onclick: () => give(label),
  }, at < 9 ? make("kbd", {}, String(at + 1)) : null, label));
  const other = data.labels.length > 9
    ? make("input", { class: "free", list: "labels", placeholder: "other label …", "aria-label": "Other label", disabled: !what,
      onchange: (event) => give(event.target.value.trim()) })
    : null;
  const bar = document.getElementById("bar");
  bar.classList.toggle("idle", !what);
  bar.replaceChildren(
    make("span", { class: "what" }, what || "Choose an entity or select text"),
    make("div", { class: "labels" }, ...buttons, ...(other ? [other] : [])),
    make("div", { class: "acts" },
      make("button", { title: "previous ( k )", "aria-label": "Previous", onclick: () => step(-1) }, "↑"),
      make("button", { title: "next ( j )", "aria-label": "Next", onclick: () => step(1) }, "↓"),
      make("button", { title: "undo ( u )", "aria-label": "Undo", onclick: undo, disabled: !undone.length }, "↶"),
      make("button", { class: "bad", title: "delete the entity ( d )", onclick: deleteChosen, disabled: !entity }, "Delete"),
      make("button", { class: "go", title: "accept and go on ( a )", onclick: accept, disabled: !doc }, "Accept")));
}

function onSelection() {
  const active = document.activeElement;
  if (active?.matches?.("input")) return;
  const chosen = getSelection();
  const node = chosen.rangeCount && !chosen.isCollapsed ? chosen.getRangeAt(0).startContainer : null;
  const box = (node?.nodeType === 1 ? node : node?.parentElement)?.closest(".ours");
  const doc = box && docs[Number(box.closest(".card").dataset.index)];
  const found = box ? selectedIn(box, doc) : null;
  if (!found && !selection) return;
  selection = found;
  // The card of the text itself is not drawn anew: that would let the selection go.
  if (found && cursor.doc !== doc) {
    const before = cursor.doc;
    cursor.doc = doc;
    cursor.entity = -1;
    if (before?.filled) fillCard(before);
    doc.card.classList.add("current");
  }
  drawBar();
}

let toasting;
function toast(text) {
  const box = document.getElementById("toast");
  box.textContent = text;
  box.classList.add("on");
  clearTimeout(toasting);
  toasting = setTimeout(() => box.classList.remove("on"), 3500);
}

function dress(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  keep("theme", theme);
}

function begin() {
  restore();
  makeCards();
  buildSide();
  dress(stored("theme"));
  if (data.labels.length > 9) document.body.append(make("datalist", { id: "labels" }, ...data.labels.map((label) => make("option", { value: label }))));
  const search = document.getElementById("search");
  let waiting;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { wanted.search = search.value.trim().toLowerCase(); show(); }, 120);
  });
  const at = docs.find((doc) => doc.id === stored("at"));
  show();
  if (at) go(at);
  tally();
  document.addEventListener("keydown", onKey);
  document.addEventListener("selectionchange", onSelection);
  document.getElementById("keys").addEventListener("click", KEYS["?"]);
  document.getElementById("save-all").addEventListener("click", () => download(false));
  document.getElementById("save-reviewed").addEventListener("click", () => download(true));
  document.addEventListener("click", (event) => {
    const save = document.getElementById("save");
    if (!event.target.closest("#save") || event.target.closest(".sheet button")) save.open = false;
  });
  const menu = document.getElementById("menu");
  menu.addEventListener("click", () => menu.setAttribute("aria-expanded", String(document.body.classList.toggle("filters"))));
  document.getElementById("list").addEventListener("click", () => { document.body.classList.remove("filters"); menu.setAttribute("aria-expanded", "false"); }, true);
  document.getElementById("theme").addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    dress(dark ? "light" : "dark");
  });
  document.documentElement.dataset.ready = "yes";
}

begin();
