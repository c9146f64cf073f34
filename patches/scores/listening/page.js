"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const test = JSON.parse(at("test").textContent);
  const WORDS = ["Bad", "Poor", "Fair", "Good", "Excellent"];
  const TOLD = { headphones: "on headphones", speakers: "on loudspeakers", laptop: "on a laptop", phone: "on a phone" };
  const FADE = 0.005; // seconds: a sound that is stopped doesn't click

  // ---- what is kept: in this browser where it lets us, else for as long as the page is open

  const PLACE = "listening-" + test.id;
  let kept = true;
  let state = load() || fresh();

  function load() {
    try {
      const found = JSON.parse(localStorage.getItem(PLACE));
      return found && found.test === test.id ? found : null;
    } catch {
      return null;
    }
  }

  function keep() {
    try {
      localStorage.setItem(PLACE, JSON.stringify(state));
    } catch {
      kept = false;
    }
    at("kept").hidden = kept;
  }

  function fresh() {
    const [seed, one, two] = crypto.getRandomValues(new Uint32Array(3));
    const listener = [one, two].map((part) => part.toString(16).padStart(8, "0")).join("");
    return { test: test.id, listener, device: null, seed, order: order(seed), trials: [], started: null };
  }

  // ---- the order: every clip once, then some of the first half again, scattered over the second

  function random(seed) { // xorshift of Marsaglia 2003, 32 bits
    let x = seed || 1;
    return (below) => {
      x ^= x << 13; x ^= x >>> 17; x ^= x << 5;
      return (x >>> 0) % below;
    };
  }

  function order(seed) {
    const draw = random(seed);
    for (let i = 0; i < 16; i++) draw(2); // small seeds begin with small numbers
    const clips = Object.keys(test.clips).sort();
    for (let i = clips.length - 1; i > 0; i--) {
      const j = draw(i + 1);
      [clips[i], clips[j]] = [clips[j], clips[i]];
    }
    const half = Math.ceil(clips.length / 2);
    const again = clips.slice(0, half);
    const late = clips.slice(half);
    for (let i = 0; i < Math.min(test.repeats, half); i++) {
      const [clip] = again.splice(draw(again.length), 1);
      late.splice(draw(late.length) + 1, 0, clip); // never first of the second half: not twice in a row
    }
    return [...clips.slice(0, half), ...late];
  }

  // ---- playing: decoded sounds in the audio clock, so that loops have no gap

  const player = { context: null, source: null, gain: null, began: 0, heard: false, turn: 0 };
  const decoded = new Map();

  function sound(uri) {
    if (!decoded.has(uri)) {
      if (decoded.size > 3) decoded.delete(decoded.keys().next().value);
      const text = atob(uri.slice(uri.indexOf(",") + 1));
      const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
      decoded.set(uri, player.context.decodeAudioData(bytes.buffer));
    }
    return decoded.get(uri);
  }

  async function play(uri, loop, ended) {
    const turn = stop();
    try {
      player.context ||= new AudioContext();
      await player.context.resume();
      const buffer = await sound(uri);
      if (turn !== player.turn) return; // something else was asked for meanwhile
      begin(buffer, loop, ended);
    } catch (error) {
      at("reason").textContent = `Please open the page in another browser, such as a new Firefox or Chrome. (${error.message})`;
      at("broken").hidden = false;
    }
  }

  function begin(buffer, loop, ended) {
    const { context } = player;
    const gain = new GainNode(context);
    const source = new AudioBufferSourceNode(context, { buffer, loop });
    source.connect(gain).connect(context.destination);
    source.onended = () => {
      if (player.source !== source) return;
      player.source = null;
      player.heard = true; // a stopped one is no longer the player's
      ended();
    };
    source.start();
    Object.assign(player, { source, gain, began: context.currentTime });
    refresh();
    requestAnimationFrame(() => tick(source));
  }

  function stop() {
    if (player.source) {
      const now = player.context.currentTime;
      player.gain.gain.setTargetAtTime(0, now, FADE);
      player.source.stop(now + 6 * FADE);
      player.source = null;
    }
    return ++player.turn;
  }

  function tick(source) {
    if (player.source !== source) return;
    const length = source.buffer.duration;
    const past = player.context.currentTime - player.began;
    at("position").style.transform = `scaleX(${(past % length) / length})`;
    if (past >= length && !player.heard) {
      player.heard = true;
      refresh();
    }
    requestAnimationFrame(() => tick(source));
  }

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
  }

  function toggle() {
    if (player.source) stop();
    else start();
    refresh();
  }

  function refresh() {
    if (!player.source) at("position").style.transform = "";
    at("play").textContent = player.source ? "Stop" : plays ? "Play again" : "Play";
    at("play-check").textContent = player.source ? "Stop the noise" : "Play the noise";
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
    if (player.source) {
      stop();
      refresh();
    } else play(test.check, false, refresh);
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
})();
