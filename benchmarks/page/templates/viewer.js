// The episode viewer. Texts of tasks and agents are hostile: they become text nodes, never markup.
{
const data = JSON.parse(document.getElementById("data").textContent);
const MARKS = { "right": "✓", "wrong": "✗", "no answer": "–", "ungraded": "?" };
const ROWS_AT_ONCE = 50;

const filters = document.getElementById("filters");
const count = document.getElementById("count");
const list = document.getElementById("list");
const detail = document.getElementById("episode");
let matching = [];  // positions in data.episodes
let opened = -1;    // position in matching
let first = 0;      // position of the first row that is in the list: of many, some do

// Returns a new element; strings among the children become text.
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

function plural(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

function nameOf(episode) {
  return document.getElementById(`agent-${episode.agent}`).content.cloneNode(true);
}

// Returns what the rules of an episode are called; nothing if all were played by the same.
function rulesOf(episode) {
  return data.rules[data.tasks[episode.task].rules];
}

function chip(outcome) {
  return make("span", { class: `chip ${outcome.replace(" ", "-")}` }, `${MARKS[outcome]} ${outcome}`);
}

// ---- the list

function matches(episode) {
  const wanted = filters.elements, kind = wanted.failure.value;
  const { category, rules } = data.tasks[episode.task];
  return (wanted.agent.value === "" || episode.agent === Number(wanted.agent.value))
    && (wanted.category.value === "" || category === Number(wanted.category.value))
    && (!wanted.rules?.value || rules === Number(wanted.rules.value))
    && (wanted.outcome.value === "" || episode.outcome === wanted.outcome.value)
    && (kind === "" || (kind === "none" ? !episode.failures.length : episode.failures.includes(Number(kind))))
    && (!wanted.pictured.checked || episode.is_pictured);
}

function row(position) {
  const episode = data.episodes[matching[position]];
  const kinds = episode.failures.map((kind) => data.failures[kind][0]).join(", ");
  const option = make("div", {
    role: "option", id: `row-${position}`, "aria-selected": position === opened,
    "aria-posinset": position + 1, "aria-setsize": matching.length,
  },
    make("span", { class: "row-head" }, nameOf(episode), chip(episode.outcome)),
    make("small", {}, make("bdi", {}, data.tasks[episode.task].id), episode.is_pictured ? " · frames" : ""),
    rulesOf(episode) ? make("small", {}, rulesOf(episode)) : null,
    kinds ? make("small", { class: "kinds" }, kinds) : null);
  option.addEventListener("click", () => open(position));
  return option;
}

function rows(start, end) {
  return Array.from({ length: end - start }, (_, index) => row(start + index));
}

function addRowsBelow() {
  const start = first + list.children.length;
  list.append(...rows(start, Math.min(matching.length, start + ROWS_AT_ONCE)));
}

// What is in sight stays where it is.
function addRowsAbove() {
  const end = first, height = list.scrollHeight;
  first = Math.max(0, end - ROWS_AT_ONCE);
  list.prepend(...rows(first, end));
  list.scrollTop += list.scrollHeight - height;
}

// Adds rows until a position is in the list; if it is far from all of them, again.
function reach(position) {
  const last = first + list.children.length - 1;
  if (position < first - ROWS_AT_ONCE || position > last + ROWS_AT_ONCE) {
    first = Math.max(0, position - ROWS_AT_ONCE / 2);
    list.replaceChildren();
    addRowsBelow();
  }
  else if (position < first) addRowsAbove();
  else if (position >= last) addRowsBelow();
}

function filter() {
  matching = [...data.episodes.keys()].filter((index) => matches(data.episodes[index]));
  opened = -1;
  first = 0;
  list.replaceChildren();
  list.scrollTop = 0;
  list.removeAttribute("aria-activedescendant");
  addRowsBelow();
  const of_all = matching.length < data.episodes.length ? ` of ${data.episodes.length.toLocaleString("en")}` : "";
  count.textContent = matching.length ? `${matching.length.toLocaleString("en")}${of_all} episode${matching.length === 1 && !of_all ? "" : "s"}`
    : "No episode matches.";
  detail.replaceChildren();
  if (matching.length) open(0);
}

function keepInSight(option) {
  const row = option.getBoundingClientRect(), room = list.getBoundingClientRect();
  if (row.top < room.top) list.scrollTop -= room.top - row.top;
  if (row.bottom > room.bottom) list.scrollTop += row.bottom - room.bottom;
}

function open(position) {
  list.children[opened - first]?.setAttribute("aria-selected", "false");
  opened = Math.max(0, Math.min(position, matching.length - 1));
  reach(opened);
  const option = list.children[opened - first];
  option.setAttribute("aria-selected", "true");
  list.setAttribute("aria-activedescendant", option.id);
  keepInSight(option);
  show(matching[opened]);
}

// ---- one episode

function show(index) {
  const episode = data.episodes[index], task = data.tasks[episode.task];
  const parts = [
    head(episode, index),
    make("p", { class: "muted small" }, make("bdi", {}, task.id), " · ", make("bdi", {}, task.set),
      rulesOf(episode) ? ` · ${rulesOf(episode)}` : ""),
    make("p", { class: "question" }, make("bdi", {}, task.question)),
    options(episode, task),
    failures(episode),
    timeline(episode, task),
    overview(episode, task),
    turns(episode, task),
    reward(episode, task),
  ];
  detail.replaceChildren(...parts.filter((part) => part !== null));
}

function head(episode, index) {
  const step = (label, text, by) => {
    const button = make("button", { type: "button", "aria-label": label }, text);
    button.disabled = !(opened + by in matching);
    button.addEventListener("click", () => {
      open(opened + by);
      detail.querySelector(`[aria-label="${label}"]:enabled`)?.focus();
    });
    return button;
  };
  const zooms = episode.turns.filter((turn) => turn.zoom).length;
  const facts = [
    episode.reward === null ? "reward unknown" : `reward ${episode.reward.toFixed(2)}`,
    plural(zooms, "zoom"), plural(episode.frames_used, "frame"),
    `${(episode.agent_s + episode.decode_s).toFixed(2)} s`,
  ];
  return make("header", {},
    nameOf(episode), chip(episode.outcome),
    make("span", { class: "facts" }, facts.join(" · ")),
    make("span", { class: "steps" },
      make("a", { href: `#episode-${index}` }, "link"),
      step("Previous episode", "←", -1), step("Next episode", "→", 1)));
}

function options(episode, task) {
  if (!task.options.length) {
    return make("dl", { class: "open-ended" },
      make("dt", {}, "given"), make("dd", {}, make("bdi", {}, episode.answer ?? "nothing")),
      make("dt", {}, "true"), make("dd", {}, make("bdi", {}, task.answer)));
  }
  const items = task.options.map(([letter, text], number) => {
    const isTrue = number === task.truth, isGiven = number === episode.given;
    const remark = [isGiven ? "given" : "", isTrue ? "true ✓" : isGiven ? "wrong ✗" : ""];
    return make("li", { class: isTrue ? "true" : isGiven ? "false" : "" },
      make("b", {}, letter), make("bdi", {}, text),
      make("span", { class: "remark" }, remark.filter(Boolean).join(", ")));
  });
  const isUnclear = episode.answer !== null && episode.given === null;
  return make("div", {}, make("ul", { class: "options" }, ...items),
    isUnclear ? make("p", { class: "note" }, "Given, but no clear choice: ", make("bdi", {}, episode.answer)) : null);
}

function failures(episode) {
  const items = episode.failures.map((kind) =>
    make("li", {}, make("b", {}, data.failures[kind][0]), ` ${data.failures[kind][1]}`));
  return items.length ? make("ul", { class: "failures", "aria-label": "What went wrong" }, ...items) : null;
}

function place(element, task, start_s, end_s = start_s) {
  element.style.left = `${100 * start_s / task.duration_s}%`;
  if (end_s > start_s) element.style.width = `${100 * (end_s - start_s) / task.duration_s}%`;
  return element;
}

function zoomClass(number) {
  return `zoom-${number % 6}`;
}

// Returns what a call that showed frames is called, such as "zoom 1".
function clipName(call, number) {
  return `${call.tool ?? "zoom"} ${number + 1}`;
}

function timeline(episode, task) {
  const zooms = episode.turns.flatMap((turn) => turn.zoom ? [turn.zoom] : []);
  const evidence = task.evidence.map(([start_s, end_s]) => place(make("span", { class: "evidence" }), task, start_s, end_s));
  const lanes = zooms.map((zoom, number) => {
    const before = zoom.start_s / task.duration_s, after = 1 - zoom.end_s / task.duration_s;
    const label = make("span", { class: "band-label" }, make("b", {}, `${number + 1}`), make("span", {}, `: ${zoom.label}`));
    if (before > after) label.style.right = `calc(${100 - 100 * before}% + 6px)`;
    else label.style.left = `calc(${100 - 100 * after}% + 8px)`;
    return make("div", { class: `lane ${zoomClass(number)}` },
      place(make("span", { class: "band" }), task, zoom.start_s, zoom.end_s), label);
  });
  const ticks = task.overview_s.map((time_s) => place(make("i", {}), task, time_s));
  const axis = task.axis.map(([time_s, text]) => {
    const side = time_s === 0 ? "first" : time_s > task.duration_s * 0.97 ? "last" : "";
    return place(make("span", { class: side }, text), task, time_s);
  });
  const said = [
    `The whole video, ${task.duration_label}`, `${task.overview_s.length} overview frames`,
    ...zooms.map((zoom, number) => `${clipName(zoom, number)}: ${zoom.label}`),
    ...task.evidence.map(([start_s, end_s]) => `evidence: ${start_s.toFixed(2)} to ${end_s.toFixed(2)} s`),
  ];
  return make("figure", { class: "timeline", role: "img", "aria-label": said.join("; ") },
    make("figcaption", {}, make("b", {}, "Time line"), ` ${task.duration_label}`,
      task.evidence.length ? make("span", { class: "evidence-key" }, "evidence") : null,
      make("span", { class: "tick-key" }, "overview frames")),
    make("div", { class: "track" }, ...evidence, ...lanes, make("div", { class: "ruler" }, ...ticks)),
    make("div", { class: "axis" }, ...axis));
}

function strip(frames, label, className) {
  const tiles = frames.map(([time_s, picture, isEvidence], position) => {
    const time = `${time_s.toFixed(2)} s`;
    const image = make("img", { alt: time, src: `data:image/webp;base64,${data.pictures[picture]}` });
    const button = make("button", { type: "button", title: "enlarge", tabindex: position ? -1 : 0 }, image);
    button.addEventListener("click", () => enlarge(frames, position, label));
    return make("figure", { class: isEvidence ? "on-evidence" : "" }, button, make("figcaption", {}, className === "overview" ? time_s.toFixed(1) : time));
  });
  return make("div", { class: `strip ${className}`, role: "group", "aria-label": label }, ...tiles);
}

// Shows a frame of a strip as large as the window allows; arrow keys go on to its neighbors.
function enlarge(frames, position, label) {
  const image = make("img", {}), caption = make("p", {});
  const dialog = make("dialog", { class: "enlarged", "aria-label": label }, image, caption);
  const turn = (by) => {
    position = Math.min(Math.max(position + by, 0), frames.length - 1);
    const [time_s, picture, isEvidence] = frames[position];
    image.alt = `${time_s.toFixed(2)} s`;
    image.src = `data:image/webp;base64,${data.pictures[picture]}`;
    caption.textContent = `${label}: ${position + 1} of ${frames.length}, ${image.alt}${isEvidence ? ", evidence" : ""}`;
  };
  const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity, End: Infinity };
  image.addEventListener("load", () => dialog.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight));
  dialog.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("keydown", (event) => {
    if (!(event.key in steps)) return;
    turn(steps[event.key]);
    event.preventDefault();
  });
  turn(0);
  document.body.append(dialog);
  dialog.showModal();
}

function overview(episode, task) {
  if (episode.note) return make("p", { class: "note" }, make("b", {}, "No frames. "), make("bdi", {}, episode.note));
  if (!episode.is_pictured) return null;
  const label = `Overview, ${task.frames.length} frames`;
  return make("details", { open: "" }, make("summary", {}, label), strip(task.frames, label, "overview"));
}

function turns(episode, task) {
  let number = -1;
  const items = episode.turns.map((turn, index) => {
    if (turn.zoom) number += 1;
    const frames = turn.zoom ? episode.clips[number] : null;
    const what = turn.zoom ? `${clipName(turn.zoom, number)}: ${turn.zoom.label}, ${plural(turn.zoom.num_frames, "frame")}`
      : turn.call ? make("bdi", {}, turn.call)
      : turn.is_refused ? make("span", { class: "refused" }, "not executed")
      : make("span", {}, "answer ", make("b", {}, make("bdi", {}, episode.answer ?? "")));
    return make("li", { class: turn.zoom ? zoomClass(number) : "" },
      make("p", { class: "turn-head" }, make("b", {}, `Turn ${index + 1} of ${task.max_turns}`), " ", what,
        turn.is_well_formed ? null : make("span", { class: "refused" }, " · not well-formed")),
      make("pre", { class: "reply" }, turn.reply),
      turn.feedback ? make("p", { class: "feedback" }, make("bdi", {}, turn.feedback)) : null,
      frames ? strip(frames, `Frames of ${clipName(turn.zoom, number)}`, "clip") : null);
  });
  return make("ol", { class: "turns" }, ...items);
}

function reward(episode, task) {
  if (episode.reward === null) return null;
  const measured = data.terms.map((term, number) => [term, number])
    .filter(([, number]) => (episode.parts[number] ?? null) !== null);
  const rows = measured.map(([term, number]) => {
    const value = episode.parts[number], weight = task.weights[number];
    const cells = [value.toFixed(2), `× ${weight}`, (value * weight).toFixed(2)];
    return make("tr", {}, make("th", { scope: "row" }, term), ...cells.map((text) => make("td", { class: "numeric" }, text)));
  });
  const total = make("tr", {}, make("th", { scope: "row" }, "reward"), make("td", {}), make("td", {}),
    make("td", { class: "numeric" }, make("b", {}, episode.reward.toFixed(2))));
  return make("table", { class: "reward" }, make("caption", {}, "Reward"), make("tbody", {}, ...rows, total));
}

// ---- keys, links and the start

const MOVES = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };

list.addEventListener("keydown", (event) => {
  if (event.key in MOVES && matching.length) open(opened + MOVES[event.key]);
  else if (event.key === "Enter") detail.focus();
  else return;
  event.preventDefault();
});
list.addEventListener("scroll", () => {
  if (list.scrollTop + 2 * list.clientHeight > list.scrollHeight) addRowsBelow();
  if (list.scrollTop < list.clientHeight && first > 0) addRowsAbove();
});
detail.addEventListener("keydown", (event) => {
  if (event.key === "Escape") list.focus();
});
filters.addEventListener("change", filter);
filters.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("clear").addEventListener("click", () => {
  filters.reset();
  filter();
});

// Numbers elsewhere on the page lead to the episodes behind them.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-agent]");
  if (!link) return;
  filters.reset();
  for (const [name, value] of Object.entries(link.dataset)) filters.elements[name].value = value;
  filter();
});

function openLinked() {
  const index = Number(/^#episode-(\d+)$/.exec(location.hash)?.[1] ?? NaN);
  if (!(index in data.episodes)) return;
  filters.reset();
  filter();
  open(index);
  detail.scrollIntoView();
}
addEventListener("hashchange", openLinked);
filter();
openLinked();
}
