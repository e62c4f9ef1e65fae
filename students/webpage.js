"use strict";

const at = (id) => document.getElementById(id);
const hues = new Map();
const off = new Set(); // labels that are not shown
let known = []; // the bundle's labels
let answer = null; // the document the service gave
let points = []; // its text by code points, as offsets count them

const hue = (label) => {
  if (!hues.has(label)) hues.set(label, Math.round(212 + 137.508 * hues.size) % 360); // as students/page.py
  return hues.get(label);
};

const made = (tag, text, more = {}) => {
  const node = Object.assign(document.createElement(tag), more);
  node.textContent = text;
  return node;
};

const tinted = (node, label) => {
  node.style.setProperty("--h", hue(label));
  return node;
};

const visible = (text) =>
  text.replace(/[\0-\x08\x0b\x0c\x0e-\x1f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0))).replace(/\x7f/g, "\u2421");

const shown = () => answer.entities.filter((e) => !off.has(e.label) && e.score >= Number(at("least").value));
const mention = (entity) => points.slice(entity.start, entity.end).join("");
const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;

function say(text, bad = false) {
  at("status").textContent = text;
  at("status").classList.toggle("bad", bad);
}

async function ask(event) {
  event.preventDefault();
  const text = at("text").value;
  if (!text.trim()) {
    say("There is no text yet.", true);
    at("text").focus();
    return;
  }
  at("go").disabled = true;
  at("found").classList.add("stale");
  say("Reading\u2026");
  const begun = performance.now();
  try {
    const reply = await fetch("tag", { method: "POST", headers: headers(), body: JSON.stringify({ text }) });
    const row = await reply.json();
    if (reply.ok) show(row, performance.now() - begun);
    else refused(reply.status, row.error);
  } catch {
    say("The service does not answer. Is it still running?", true);
  }
  at("go").disabled = false;
}

function headers() {
  const token = at("token").value;
  return { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
}

function refused(status, sentence) {
  if (status === 401) {
    at("token-row").hidden = false;
    at("token").focus();
  }
  say(status === 401 ? "This service asks for a token." : `${sentence[0].toUpperCase()}${sentence.slice(1)}.`, true);
}

function show(row, milliseconds) {
  answer = row;
  points = Array.from(row.text);
  at("found").hidden = false;
  at("found").classList.remove("stale");
  at("copied").textContent = "";
  say(`${plural(row.entities.length, "entity", "entities")} in ${Math.max(1, Math.round(milliseconds))} ms.`);
  drawLabels();
  draw();
}

function drawLabels() {
  const counts = new Map(known.map((label) => [label, 0]));
  for (const { label } of answer.entities) counts.set(label, (counts.get(label) ?? 0) + 1);
  at("labels").replaceChildren(
    ...[...counts].map(([label, count]) => {
      const button = tinted(made("button", label, { type: "button" }), label);
      button.append(made("span", count));
      button.setAttribute("aria-pressed", String(!off.has(label)));
      button.addEventListener("click", () => {
        off.has(label) ? off.delete(label) : off.add(label);
        button.setAttribute("aria-pressed", String(!off.has(label)));
        draw();
      });
      return button;
    }),
  );
}

function draw() {
  const entities = shown();
  const pieces = [];
  let done = 0;
  for (const entity of entities) {
    pieces.push(visible(points.slice(done, entity.start).join("")), mark(entity));
    done = entity.end;
  }
  pieces.push(visible(points.slice(done).join("")));
  at("marked").replaceChildren(...pieces);
  at("rows").replaceChildren(...entities.map(line));
  at("list").hidden = !entities.length;
  at("copied").textContent = "";
}

function mark(entity) {
  const node = tinted(made("mark", visible(mention(entity))), entity.label);
  node.classList.toggle("unsure", entity.score < 0.5);
  node.title = `${entity.label}, score ${entity.score.toFixed(3)}, ${entity.start} to ${entity.end}`;
  node.append(made("b", entity.label), made("small", entity.score.toFixed(2)));
  return node;
}

function line(entity) {
  const row = document.createElement("tr");
  const label = made("td", "");
  label.append(tinted(made("span", "", { className: "dot" }), entity.label), entity.label);
  row.append(
    made("td", visible(mention(entity)), { dir: "auto" }),
    label,
    made("td", entity.score.toFixed(3), { className: "number" }),
    made("td", `${entity.start}\u2013${entity.end}`, { className: "number" }),
  );
  return row;
}

async function copy() {
  const line = JSON.stringify({ ...answer, entities: shown() }) + "\n";
  try {
    await navigator.clipboard.writeText(line);
  } catch { // no permission, or not a secure page
    const box = made("textarea", "", { value: line, className: "hidden" });
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
    at("copy").focus();
  }
  at("copied").textContent = `One line with ${plural(shown().length, "entity", "entities")} copied.`;
}

async function greet() {
  try {
    const facts = await (await fetch("health")).json();
    known = facts.labels;
    known.forEach(hue);
    at("bundle").textContent = `${facts.precision}, model ${facts.model.slice(0, 12)}, ${facts.labels.join(" ")}`;
  } catch {
    say("The service does not answer. Is it still running?", true);
  }
  document.documentElement.dataset.ready = "yes";
}

at("ask").addEventListener("submit", ask);
at("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("ask").requestSubmit();
});
at("text").addEventListener("input", () => {
  const size = at("text").value.length;
  at("size").textContent = size ? plural(size.toLocaleString("en"), "character", "characters") : "";
});
at("least").addEventListener("input", () => {
  at("least-shown").textContent = Number(at("least").value).toFixed(2);
  if (answer) draw();
});
at("copy").addEventListener("click", copy);
greet();
