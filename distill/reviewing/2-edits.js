// The documents and what the person made of them: kept in localStorage, undone, and downloaded as JSONL.

const data = JSON.parse(document.getElementById("data").textContent);
const PREFIX = `ner-distill review ${data.fingerprint} `;
data.labels.forEach(hueOf);

const docs = data.documents.map((row, index) => ({
  index, id: row.id, text: row.text, meta: row.meta ?? {}, given: row.entities, entities: row.entities,
  gold: row.gold ?? null, others: row.others ?? [], accepted: false, left: false, units: unitsOf(row.text),
}));

let storing = true;
const undone = [];

function stateOf(doc) {
  if (doc.left) return "left out";
  if (doc.entities !== doc.given) return "corrected";
  return doc.accepted ? "accepted" : "open";
}

function stored(name) {
  try { return localStorage.getItem(PREFIX + name); } catch { return null; }
}

function keep(name, value) {
  if (!storing) return;
  try {
    if (value == null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    storing = false;
    toast("This browser cannot keep edits: download before you close the page.");
  }
}

function restore() {
  for (const doc of docs) {
    const text = stored(doc.index);
    if (!text) continue;
    try {
      const row = JSON.parse(text);
      doc.accepted = Boolean(row.accepted);
      doc.left = Boolean(row.left);
      if (Array.isArray(row.entities)) doc.entities = row.entities;
    } catch { /* what cannot be read is no edit */ }
  }
}

const sameEntities = (some, others) => {
  const keys = new Set(some.map(keyOf));
  return keys.size === new Set(others.map(keyOf)).size && others.every((entity) => keys.has(keyOf(entity)));
};

// Every change goes through here: remembered for undo, kept, shown.
function change(doc, values) {
  undone.push({ doc, accepted: doc.accepted, left: doc.left, entities: doc.entities });
  if (undone.length > 500) undone.shift();
  put(doc, values);
}

function put(doc, values) {
  Object.assign(doc, values);
  if (doc.entities !== doc.given && sameEntities(doc.entities, doc.given)) doc.entities = doc.given;
  const touched = doc.accepted || doc.left || doc.entities !== doc.given;
  const row = { accepted: doc.accepted, left: doc.left };
  if (doc.entities !== doc.given) row.entities = doc.entities;
  keep(doc.index, touched ? JSON.stringify(row) : null);
  refresh(doc);
}

function undo() {
  const last = undone.pop();
  if (!last) return toast("Nothing to undo.");
  const { doc, ...values } = last;
  put(doc, values);
  go(doc);
}

const sorted = (entities) => [...entities].sort((a, b) => a.start - b.start || b.end - a.end || (a.label < b.label ? -1 : 1));

function add(doc, entity) {
  if (doc.entities.some((other) => keyOf(other) === keyOf(entity))) return;
  const bare = { start: entity.start, end: entity.end, label: entity.label };
  if (entity.fragments?.length) bare.fragments = entity.fragments;
  change(doc, { entities: sorted([...doc.entities, bare]) });
  cursor.entity = doc.entities.findIndex((other) => keyOf(other) === keyOf(bare));
  refresh(doc);
}

function relabel(doc, n, label) {
  const { score, ...entity } = doc.entities[n];
  if (entity.label === label) return;
  const changed = { ...entity, label };
  const rest = doc.entities.filter((other, at) => at !== n && keyOf(other) !== keyOf(changed));
  change(doc, { entities: sorted([...rest, changed]) });
  cursor.entity = doc.entities.findIndex((other) => keyOf(other) === keyOf(changed));
  refresh(doc);
}

function remove(doc, n) {
  cursor.entity = Math.min(n, doc.entities.length - 2);
  change(doc, { entities: doc.entities.filter((_, at) => at !== n) });
}

// A document as `train` reads it. What a person has seen carries no scores: absent counts as 1.
function exported(doc) {
  const state = stateOf(doc);
  const entities = state === "open" ? doc.entities : doc.entities.map(({ score, ...entity }) => entity);
  const row = { id: doc.id, text: doc.text, entities };
  const meta = state === "open" ? doc.meta : { ...doc.meta, review: state };
  return Object.keys(meta).length ? { ...row, meta } : row;
}

function download(onlyReviewed) {
  const rows = docs.filter((doc) => !doc.left && (!onlyReviewed || stateOf(doc) !== "open"));
  const lines = rows.map((doc) => JSON.stringify(exported(doc)) + "\n");
  const link = make("a", { href: URL.createObjectURL(new Blob(lines, { type: "application/jsonl" })) });
  link.download = data.name + (onlyReviewed ? ".reviewed.jsonl" : ".corrected.jsonl");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  toast(`${plain(rows.length)} documents in ${link.download}`);
}
