// SPDX-License-Identifier: Apache-2.0
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
