// SPDX-License-Identifier: Apache-2.0
// ---- screens

function show(name) {
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== name;
  at(name).focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

function welcome() {
  const minutes = Math.max(1, Math.round((state.order.length * (2 * test.seconds + 3)) / 60));
  at("count").textContent = state.order.length;
  at("minutes").textContent = minutes === 1 ? "a minute" : `${minutes} minutes`;
  at("to-check").textContent = state.trials.length
    ? `Go on with sound ${state.trials.length + 1}: sound check first` : "Go on to the sound check";
  for (const input of document.querySelectorAll("[name=device]")) input.checked = input.value === state.device;
  device();
  show("welcome");
}

function device() {
  at("to-check").disabled = !state.device;
  at("choose").hidden = Boolean(state.device);
}

let chosen = null, plays = 0, shown = 0;

function trial() {
  const index = state.trials.length;
  if (index >= state.order.length) return end();
  chosen = null;
  plays = 0;
  shown = Date.now();
  player.heard = false;
  at("trial").dataset.clip = state.order[index];
  at("number").textContent = `Sound ${index + 1} of ${state.order.length}`;
  at("device-told").textContent = TOLD[state.device];
  at("done-bar").style.transform = `scaleX(${index / state.order.length})`;
  for (const input of document.querySelectorAll("[name=rating]")) input.checked = false;
  refresh(); // what was open to the former clip's rating closes before this one plays
  show("trial");
  start();
  return undefined;
}

function start() {
  plays += 1;
  play(test.clips[at("trial").dataset.clip], at("loop").checked, refresh);
  refresh();
}

function toggle() {
  if (player.asked) stop();
  else start();
  refresh();
}

function refresh() {
  if (!player.source) at("position").style.transform = "";
  at("play").textContent = player.asked ? "Stop" : plays ? "Play again" : "Play";
  at("play-check").textContent = player.asked ? "Stop the noise" : "Play the noise";
  at("rating").disabled = !player.heard;
  at("next").disabled = !chosen;
  at("hint").textContent = !player.heard ? "Listen to the end, then rate." : chosen ? "" : "Rate it, 1 to 5.";
}

function rate(value) {
  if (!player.heard) return;
  chosen = value;
  document.querySelector(`[name=rating][value="${value}"]`).checked = true;
  refresh();
}

function next() {
  if (!chosen) return;
  const now = Date.now();
  const clip = state.order[state.trials.length];
  state.trials.push({ clip, rating: chosen, plays, seconds: (now - shown) / 1000, at: new Date(now).toISOString() });
  keep();
  trial();
}

function end() {
  stop();
  const whole = state.trials.length >= state.order.length;
  at("end-title").textContent = whole ? "Thank you" : "Thank you so far";
  at("rated").textContent = `${state.trials.length} of ${state.order.length} sounds`;
  at("resume").hidden = whole;
  at("anew").hidden = true; // it forgets these answers: only once they are saved
  at("save").disabled = !state.trials.length;
  at("saved").textContent = "";
  at("text").value = answers();
  show("end");
}

function answers() {
  const { listener, device, seed, order, trials, started } = state;
  const finished = trials.length ? trials[trials.length - 1].at : started;
  const kind = "sg3-spect listening answers";
  return JSON.stringify({ kind, version: 1, test: test.id, listener, device, seed, order, started, finished, trials });
}

function save() {
  const url = URL.createObjectURL(new Blob([answers()], { type: "application/json" }));
  const name = `answers-${test.id}-${state.listener}.json`;
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
  at("anew").hidden = false;
  at("saved").textContent = `Saved as ${name}, where your browser puts downloads. Please send that file.`;
}

function anew() {
  state = fresh();
  keep();
  welcome();
}

// ---- hands and keys

function check() {
  if (player.asked) stop();
  else play(test.check, false, refresh);
  refresh();
  at("begin").disabled = false;
}

function key(event) {
  if (at("trial").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  const on = event.target;
  const pressed = event.key.toLowerCase();
  const own = on.tagName === "BUTTON" || on.type === "checkbox" || (on.type === "radio" && !on.checked);
  if (pressed >= "1" && pressed <= "5" && pressed.length === 1) rate(Number(pressed));
  else if (pressed === " " && !own && !event.repeat) toggle();
  else if (pressed === "enter" && on.tagName !== "BUTTON" && !event.repeat) next();
  else if (pressed === "r") start();
  else if (pressed === "l") at("loop").click();
  else return;
  event.preventDefault();
}

function scale(holder, make) {
  WORDS.forEach((word, index) => {
    const cell = make(index + 1);
    const number = Object.assign(document.createElement("b"), { textContent: index + 1 });
    cell.append(number, Object.assign(document.createElement("span"), { textContent: word }));
    holder.append(cell);
  });
}

scale(at("legend"), () => document.createElement("li"));
scale(at("choices"), (value) => {
  const label = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "radio", name: "rating", value });
  input.autocomplete = "off"; // else browsers may bring back after a reload what was there before it
  input.setAttribute("aria-keyshortcuts", value);
  input.addEventListener("change", () => rate(value));
  label.append(input);
  return label;
});
for (const place of document.querySelectorAll(".question")) place.textContent = test.question;
at("devices").addEventListener("change", (event) => { state.device = event.target.value; device(); });
at("to-check").addEventListener("click", () => show("check"));
at("play-check").addEventListener("click", check);
at("begin").addEventListener("click", () => { state.started ||= new Date().toISOString(); keep(); trial(); });
at("play").addEventListener("click", toggle);
at("loop").addEventListener("change", () => {
  if (player.source) player.source.loop = at("loop").checked;
});
at("next").addEventListener("click", next);
at("stop-early").addEventListener("click", end);
at("save").addEventListener("click", save);
at("resume").addEventListener("click", trial);
at("anew").addEventListener("click", anew);
document.addEventListener("keydown", key);
window.addEventListener("beforeunload", (event) => { if (!kept && state.trials.length) event.preventDefault(); });
keep();
if (state.trials.length >= state.order.length) end();
else welcome();
